"""How far a deprovision goes where something cannot be removed.

What a forced one leaves behind is a debt: a container that is retiring, and keeps its
port, until its host answers and reconciliation has removed it (FAILURES F43, F109).
"""

from django.db import models

from instances.models import (
    WORKER,
    AuditEvent,
    Container,
    Operation,
    ServiceInstance,
)
from instances.models.port_lease import STRANGER_REST


class Level(models.TextChoices):
    ORDINARY = "ordinary"
    """Never ends before all is removed."""
    FORCE = "force"
    """Goes on without what cannot be removed, and leaves it as a debt."""
    FORGET = "forget"
    """Takes what is on a host that does not answer for gone."""


RANKS = {level: rank for rank, level in enumerate(Level)}


def level_of(operation: Operation) -> Level:
    """As the row has it by now: an operator may have raised it meanwhile."""
    rows = Operation.objects.filter(pk=operation.pk)
    request = rows.values_list("request", flat=True).get()
    return Level(request.get("level", Level.ORDINARY))


def forget(container: Container) -> None:
    """Only the rows. Should it come back all the same, reconciliation removes it."""
    lease = getattr(container, "lease", None)
    if lease is not None:
        lease.release(rest=STRANGER_REST, reason="its container was forgotten")
    Container.objects.mark_gone(container)


def record_debts(instance: ServiceInstance, left: list[Container]) -> None:
    for container in left:
        AuditEvent.record(
            WORKER,
            "left behind",
            instance,
            container=container.name,
            host=str(container.host),
            port=container.port,
        )
