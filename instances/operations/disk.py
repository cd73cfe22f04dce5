"""Disk limits: measure the containers of a host, and act on those that are full.

The row says first what is wanted of a database, then it is made so, and made so again
at every measurement: after a crash, a restart or a restore the next one puts it right.
"""

import copy
import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from instances import errors
from instances.engines import get_engine
from instances.models import (
    WORKER,
    Actor,
    AuditEvent,
    Broker,
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
    ServicePlan,
)
from instances.models.disk import HELD, HELD_TO, DiskState
from instances.operations import hosts

logger = logging.getLogger(__name__)

SIZES_LIMIT_S = 45
"""How long Docker may look at files. It does so beside everything else."""
STOP_LIMIT_S = 10
RESPITE = timedelta(hours=1)
STOPPED_BY_OPERATOR = (
    "An operator has stopped this database: it can be used again once they have "
    "started it."
)


def measure(host: DockerHost) -> None:
    """Note what each database of a host has written, and hold it to its limit.

    Raise HostUnreachable.
    """
    connection = hosts.connect(host, timeout_s=SIZES_LIMIT_S)
    sizes = connection.sizes(broker_id=str(Broker.this().broker_id))
    now = timezone.now()
    rows = host.containers.filter(state=Container.State.IN_USE)
    measured = [row for row in rows.only("pk") if row.name in sizes]
    for row in measured:
        row.disk_bytes, row.disk_measured_at = sizes[row.name], now
    Container.objects.bulk_update(
        measured, ["disk_bytes", "disk_measured_at"], batch_size=200
    )
    # What an exclusive operation has in hand is not held meanwhile.
    busy = Operation.objects.unfinished().filter(exclusive_instance__isnull=False)
    rows = rows.filter(stopped_at=None)
    idle = rows.exclude(instance__in=busy.values("exclusive_instance"))
    related = ("host", "lease", "instance")
    for row in idle.filter(instance__isnull=False).select_related(*related):
        _hold(row)


def _hold(row: Container) -> None:
    """One that does not obey must not keep the others."""
    former = row.disk_state
    try:
        if judge(row) and (row.disk_mb is not None or former != DiskState.FINE):
            if former == DiskState.STOPPED != row.disk_state:
                hosts.start_again(row)
            enforce(row)
    except errors.BrokerError as error:
        logger.warning(
            "container=%s instance=%s is not made %s: %s",
            *(row, row.instance.pk, row.disk_state, error.detail),
        )


def judge(container: Container) -> bool:
    """Record what is to become of it; whether nobody has changed its limit meanwhile.

    What is recorded is in the row that is given, too.
    """
    seen = {name: getattr(container, name) for name in (*HELD_TO, "disk_state")}
    verdict = container.disk_verdict(timezone.now())
    if verdict == container.disk_state:
        return True
    rows = Container.objects.filter(pk=container.pk, state=Container.State.IN_USE)
    with transaction.atomic():
        changes = {"disk_state": verdict, "held_bytes": container.disk_bytes}
        if not rows.filter(**seen).update(**changes):
            return False
        former, container.disk_state = container.disk_state, verdict
        _record(container, former)
    return True


def _record(container: Container, former: str) -> None:
    used_mb, limit_mb = container.disk_used_mb, container.disk_mb
    state = DiskState(container.disk_state)
    is_good = state == DiskState.FINE
    logger.log(
        logging.INFO if is_good else logging.WARNING,
        "container=%s instance=%s disk: %s MiB of %s, %s",
        *(container, container.instance.pk, used_mb, limit_mb, state.label),
    )
    AuditEvent.record(
        WORKER,
        f"disk {state.label}",
        container.instance,
        disk=[former, state.value],
        used_mb=used_mb,
        limit_mb=limit_mb,
    )


def enforce(container: Container) -> None:
    """Make the database what its row says. Running it twice changes nothing.

    Raise HostUnreachable, ContainerFailed, EngineUnreachable.
    """
    if container.disk_state == DiskState.STOPPED:
        # Again every time: Docker starts it when the host has been restarted.
        hosts.connect(container.host).stop(container.name, limit_s=STOP_LIMIT_S)
        return
    get_engine(container.engine).set_read_only(
        hosts.endpoint(container),
        container.instance.database,
        container.disk_state == DiskState.READ_ONLY,
    )


def give_respite(instance: ServiceInstance, *, actor: Actor) -> None:
    """Let a full database go beyond its limit for a while, at the next measurement.

    Raise InvalidRequest if it is not full.
    """
    rows = Container.objects.filter(instance=instance, disk_state__in=HELD)
    until = timezone.now() + RESPITE
    with transaction.atomic():
        if not rows.update(respite_until=until):
            raise errors.InvalidRequest(f"{instance} is not held for its disk limit.")
        host = DockerHost.objects.filter(containers__instance=instance)
        host.update(measure_after=None)
        AuditEvent.record(actor, "disk respite", instance, until=until.isoformat())


def refuse_stopped(instance: ServiceInstance) -> None:
    """Raise InvalidRequest if its database is stopped, by whom or what ever."""
    container = instance.container
    if container is not None and container.stopped_at is not None:
        raise errors.InvalidRequest(STOPPED_BY_OPERATOR)
    if container is not None and container.disk_state == DiskState.STOPPED:
        raise errors.InvalidRequest(
            "The database is stopped, since its disk limit of "
            f"{container.disk_mb} MiB is used up: update the service instance to a "
            "plan with more disk, or ask the operators."
        )


def refuse_stopped_by_operator(instance: ServiceInstance) -> None:
    """Raise InvalidRequest. It needs no key, and looks at the row of now."""
    stopped = Container.objects.filter(stopped_at__isnull=False)
    if stopped.filter(instance=instance).exists():
        raise errors.InvalidRequest(STOPPED_BY_OPERATOR)


def check_room(instance: ServiceInstance, plan: ServicePlan) -> None:
    """Raise UpdateNotSupported if the database would be full with that plan."""
    if instance.container is None:
        return
    planned = copy.copy(instance.container)
    for name in HELD_TO:
        setattr(planned, name, getattr(plan, name))
    if planned.disk_verdict(timezone.now()) in HELD:
        raise errors.UpdateNotSupported(
            f"The database has written {planned.disk_used_mb} MiB, and plan {plan} "
            f"is limited to {plan.disk_mb} MiB of disk."
        )
