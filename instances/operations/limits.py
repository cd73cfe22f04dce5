"""How many service instances there may be: of a plan, of an organization, in all."""

from instances import errors
from instances.models import Broker, ServiceInstance, ServicePlan


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


def check_total() -> None:
    """Raise NoCapacity that names the limit of all plans together.

    Belongs into the transaction that adds the instance: it locks the broker's row,
    after the plan's, so that two at once cannot both be the last one.
    """
    if Broker.this().instance_limit is None:
        return
    limit = Broker.objects.select_for_update().get().instance_limit
    live = ServiceInstance.objects.filter(live_key__isnull=False)
    if limit is not None and live.count() >= limit:
        raise errors.NoCapacity(
            f"This service broker is limited to {limit} service instances in all."
        )
