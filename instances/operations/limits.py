"""How many service instances a plan may have, in all and for each organization."""

from instances import errors
from instances.models import ServiceInstance, ServicePlan


def check_limits(plan: ServicePlan, organization_guid: str) -> None:
    """Raise NoCapacity that names the limit. Needs the plan's row locked."""
    live = ServiceInstance.objects.filter(plan=plan, live_key__isnull=False)
    if plan.instance_limit is not None and live.count() >= plan.instance_limit:
        raise errors.NoCapacity(
            f"Plan {plan} is limited to {plan.instance_limit} service instances."
        )
    limit = plan.organization_limit
    mine = live.filter(organization_guid=organization_guid)
    if limit is not None and mine.count() >= limit:
        raise errors.NoCapacity(
            f"Plan {plan} is limited to {limit} service instances in an organization."
        )
