"""Restart, stop and start: whether a database runs, as an operator wishes.

The row says first what is wanted: reconciliation goes by it, whatever becomes of the
operation. A stop holds until an operator's start, through restarts of the host too.
"""

from collections.abc import Callable

from django.db import transaction
from django.db.models.functions import Now

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.operations import hosts
from instances.operations.starting import READY_LIMIT_S, wait_until_ready
from instances.operations.work import Verb, Work

STOP_LIMIT_S = 60
RECOVERY_LIMIT_S = 10 * READY_LIMIT_S
"""A server that was not stopped in order reads much of its data first."""
KINDS = (Kind.RESTART, Kind.STOP, Kind.START)


@transactions.repeated
def accept(
    instance: ServiceInstance, kind: Kind, *, actor: Actor, reason: str = ""
) -> Operation:
    """Record the wish. Raise InvalidRequest, ConcurrencyError."""
    with transaction.atomic():
        locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        rows = Container.objects.filter(instance=locked)
        # Without its secret: nothing here needs a key.
        container = rows.only("stopped_at", "disk_state").first()
        if locked.state != ServiceInstance.State.READY or container is None:
            raise errors.InvalidRequest(
                f"It is {locked.get_state_display().lower()}: there is no database "
                f"to {kind.value}."
            )
        _check(kind, container)
        operation = Operation.objects.enqueue(kind, locked, actor=actor)
        if kind != Kind.RESTART:
            rows.update(stopped_at=Now() if kind == Kind.STOP else None)
        AuditEvent.record(actor, kind.value, locked, reason=reason)
        return operation


def _check(kind: Kind, container: Container) -> None:
    """Raise InvalidRequest: a page that is older than the row asks for what is."""
    is_stopped = container.stopped_at is not None
    if kind == Kind.START and not is_stopped:
        raise errors.InvalidRequest("No operator has stopped it: it is to run anyway.")
    if kind == Kind.STOP and is_stopped:
        raise errors.InvalidRequest("It is stopped already.")
    if kind == Kind.RESTART and is_stopped:
        raise errors.InvalidRequest("It is stopped: start it instead.")
    if kind == Kind.RESTART and container.disk_state == Container.DiskState.STOPPED:
        raise errors.InvalidRequest(
            "It is stopped for its disk limit: lift that, or give it another plan."
        )


def _container(work: Work) -> Container:
    container = work.operation.instance.container
    assert container is not None
    return container


def _restart(work: Work) -> None:
    container = _container(work)
    host = hosts.connect(container.host)
    status = host.find(container.name)
    if status is None:
        raise errors.ContainerFailed(detail=f"{container} is not there any more")
    began = status.started_at.isoformat() if status.started_at else ""
    # A second attempt sees by it whether the first one has got so far.
    if "began" not in work.operation.request:
        work.operation.write(request={"began": began})
    if work.operation.request["began"] == began:
        work.step("restarting the database")
        host.restart(container.name)
    wait_until_ready(
        container, step=work.step, check=work.check, limit_s=RECOVERY_LIMIT_S
    )
    _succeed(work)


def _stop(work: Work) -> None:
    container = _container(work)
    work.step("stopping the database in order")
    hosts.connect(container.host).stop(container.name, limit_s=STOP_LIMIT_S)
    _succeed(work)


def _start(work: Work) -> None:
    container = _container(work)
    if container.disk_state != Container.DiskState.STOPPED:
        work.step("starting the database")
        hosts.start_again(container)
        wait_until_ready(
            container, step=work.step, check=work.check, limit_s=RECOVERY_LIMIT_S
        )
    with work.succeeding():
        # Revocations that have waited for it: now, not at their next try.
        queued = Operation.objects.filter(state=Operation.State.QUEUED)
        queued.filter(instance=work.operation.instance).update(not_before=Now())


def _succeed(work: Work) -> None:
    with work.succeeding():
        pass


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """What is wanted stays so where it can be had later: the host makes it so."""
    with work.failing(error):
        # It has not been seen to be stopped, so nobody may count on that.
        if work.operation.kind == Kind.STOP:
            rows = Container.objects.filter(instance=work.operation.instance)
            rows.update(stopped_at=None)


def _clean_up(work: Work) -> None:
    """Reconciliation starts what is to run, and what has gone is gone."""


def _verb(perform: Callable[[Work], None]) -> Verb:
    return Verb(perform=perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)


RESTART, STOP, START = _verb(_restart), _verb(_stop), _verb(_start)
