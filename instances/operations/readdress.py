"""Readdress: what bindings say of their database once it is somewhere else.

The platform keeps the credentials that it was given, and asks nobody again: whoever
has them must bind anew. The rows tell the truth at once, and whom it has not reached.
"""

from django.db import transaction
from django.db.models.functions import Now

from instances.engines import get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import hosts
from instances.operations.bind import user_of


def readdress(
    instance: ServiceInstance, former: Container, successor: Container
) -> None:
    """Rewrite what is told of the address. Belongs into the switch's transaction."""
    if address_of(former) == address_of(successor):
        return
    engine, endpoint = get_engine(successor.engine), hosts.endpoint(successor)
    for binding in instance.bindings.filter(state=ServiceBinding.State.READY):
        credentials = engine.credentials(endpoint, user_of(binding, instance))
        ServiceBinding.objects.filter(pk=binding.pk).update(
            credentials=credentials, stale_since=Now()
        )


def address_of(container: Container) -> tuple[str, int | None]:
    """Where apps reach it."""
    return container.host.database_host, container.port


def settle(instance: ServiceInstance, *, actor: Actor) -> int:
    """An operator says that all apps have been bound anew; how many were not."""
    with transaction.atomic():
        rows = instance.bindings.filter(stale_since__isnull=False)
        number = rows.update(stale_since=None)
        if number:
            AuditEvent.record(actor, "bindings renewed", instance, number=number)
    return number
