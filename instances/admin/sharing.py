"""Where bindings have no users of their own, the console says so."""

from instances.engines import find_configurable
from instances.models import ServiceInstance

NOTICE = (
    "There are no users per binding: nothing is known of the server in the image, so "
    "all bindings of a service instance share one set of credentials, and an unbind "
    "revokes nothing. Only deleting the service instance ends them."
)


def is_sharing(instance: ServiceInstance) -> bool:
    return find_configurable(instance.plan.offering.engine) is not None


def user(instance: ServiceInstance, username: str) -> str:
    """The binding's user, or that there is none."""
    return "shared by all bindings" if is_sharing(instance) else username
