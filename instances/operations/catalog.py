"""The catalog as platforms may ask for it."""

from instances import errors
from instances.models import ServicePlan


def get_plan(offering_id: str, plan_id: str) -> ServicePlan:
    """The plan, offered or not. Raise InvalidRequest if it is not the offering's."""
    plan = ServicePlan.objects.select_related("offering").filter(pk=plan_id).first()
    if plan is None:
        raise errors.InvalidRequest(f"plan_id: there is no plan {plan_id}.")
    if plan.offering_id != offering_id:
        raise errors.InvalidRequest(
            f"service_id: plan {plan_id} is not one of offering {offering_id}."
        )
    return plan


def check_plan(plan: ServicePlan, *, offering_id: str, plan_id: str) -> None:
    """Raise InvalidRequest if a request names another offering or plan."""
    if plan.offering_id != offering_id:
        raise errors.InvalidRequest("service_id: it is not this instance's offering.")
    if plan.pk != plan_id:
        raise errors.InvalidRequest("plan_id: it is not this instance's plan.")
