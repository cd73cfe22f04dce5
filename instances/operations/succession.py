"""Succession: which of two containers is the instance's, while a swap is under way.

An attempt that is late, because its worker stood still, may still make the call that it
was about to make. Whoever takes over, or gives up, leaves nothing that it could harm.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from instances import errors
from instances.engines import get_engine
from instances.models import Container, Operation, PortLease, ServiceInstance
from instances.operations import hosts
from instances.operations.starting import wait_until_ready
from instances.operations.work import Work

logger = logging.getLogger(__name__)

SETTLE_LIMIT_S = 20.0
"""How long to wait for the old database: a platform may wait for the answer."""
_State = Container.State


class Source(Protocol):
    """Where the successor's data comes from."""

    def admin_secret(self, former: Container) -> str: ...

    def prepare(self, work: Work, former: Container) -> None:
        """While the old one still runs."""

    def fill(self, work: Work, former: Container, successor: Container) -> None:
        """Put the data into the created successor, and stop the old one."""

    def check(self, work: Work, successor: Container) -> None:
        """See that it is there, and that today's users can use it."""

    def wipe(self, operation: Operation, container: Container) -> None:
        """Take out what was only there for the check."""


def started_before(former: Container) -> Container | None:
    """What an earlier attempt has started; apps may use it since.

    What none has started goes now, so that no late attempt can start it either.
    """
    for successor in former.current_successors():
        if not hosts.connect(successor.host).discard(successor.name):
            return successor
    return None


def decided(former: Container) -> Container | None:
    """The successor whose data has been found: there is no way back behind that."""
    return former.current_successors().filter(state=_State.ADOPTING).first()


def is_decided(
    work: Work, former: Container | None, source: Source, error: errors.BrokerError
) -> bool:
    """Whether it is the successor's turn, for who gives up because of the error.

    One that has been started, and lets users in, may have been written into: it is
    gone on with, unless this very attempt has found that it cannot be. One that has
    not is gone, and no late attempt can start it once the old one is back (I11).
    Raise HostUnreachable where nobody can tell, as long as there is time.
    """
    if former is None:
        return False
    if decided(former):
        return True
    with suppress(errors.Cancelled):
        work.refuse_cancelled()
    try:
        successor = started_before(former)
    except errors.HostUnreachable:
        if work.operation.is_overdue():
            return False
        raise
    if successor is None or isinstance(error, errors.ContainerFailed):
        return False
    return _is_gone_on_with(work, successor, source)


def _is_gone_on_with(work: Work, successor: Container, source: Source) -> bool:
    try:
        wait(work, successor, SETTLE_LIMIT_S)
        if not get_engine(successor.engine).users(hosts.endpoint(successor)):
            return False
        source.check(work, successor)
    except (errors.ContainerFailed, errors.EngineUnreachable) as error:
        logger.warning("%s is no good: %s", successor, error.detail)
        return False
    decide(work, successor)
    wipe(work, successor, source)
    return True


def wait(work: Work, successor: Container, limit_s: float) -> None:
    wait_until_ready(successor, step=work.step, check=work.check, limit_s=limit_s)


def decide(work: Work, successor: Container) -> None:
    """From now on the mark may go, and the old one does not come back."""
    with work.fenced():
        successor.move(_State.ADOPTING, only_from=(_State.STARTING,))


def wipe(work: Work, successor: Container, source: Source) -> None:
    """There is no way back, and what was left in it opens nothing and hides nothing."""
    try:
        source.wipe(work.operation, successor)
    except errors.EngineUnreachable as error:
        logger.warning("%s keeps its mark: %s", successor, error.detail)


def finish(instance: ServiceInstance, successor: Container) -> None:
    """Make it the instance's container, in a transaction of the caller's."""
    former = instance.container
    assert former is not None
    former.retire()
    former.host.reconcile_soon()
    successor.move(_State.IN_USE, only_from=(_State.ADOPTING,))
    instance.container = successor
    instance.save(update_fields=["container"])


def put_back(former: Container) -> None:
    """Make the old one the instance's again, in a transaction of the caller's."""
    former.refresh_from_db()
    if former.state != _State.KEPT:
        return
    if former.port is None:
        pass_port(former, to=former)
    for successor in former.current_successors():
        successor.retire()
    former.move(_State.IN_USE, only_from=(_State.KEPT,))


def settle(
    operation: Operation,
    source: Source,
    *,
    check: Callable[[], None] | None = None,
) -> None:
    """Make the containers what the rows say, after put_back() or a late attempt.

    With a check, the operation still is this attempt's: it raises Stopped if not.
    """
    instance = ServiceInstance.objects.get(pk=operation.instance_id)
    container = instance.container
    if container is None:
        return
    for successor in container.successors.all():
        _remove_if_unwanted(successor, container)
    if container.state != _State.IN_USE:
        return
    if check is not None:
        check()
    elif is_busy(instance):
        # Another attempt may have stopped the old one just now: starting that would
        # let apps write into what has been copied already (I3).
        container.host.reconcile_soon()
        return
    hosts.start_again(container)
    wait_until_ready(
        container,
        step=lambda text: None,
        check=check or (lambda: None),
        limit_s=SETTLE_LIMIT_S,
    )
    source.wipe(operation, container)


def is_busy(instance: ServiceInstance) -> bool:
    """Whether its containers are somebody's who works on them just now."""
    return Operation.objects.unfinished().filter(exclusive_instance=instance).exists()


def _remove_if_unwanted(successor: Container, former: Container) -> None:
    """One on another host, which may be down, keeps no port from the former one."""
    try:
        hosts.remove_if_unwanted(successor)
    except errors.HostUnreachable as error:
        if successor.host_id == former.host_id:
            raise
        logger.warning("container=%s goes later: %s", successor, error.detail)


def pass_port(former: Container, *, to: Container) -> None:
    """Give the port that the former or one of its successors has to one of them."""
    # Those elsewhere, which a move has left behind, have ports of their own.
    successors = Container.objects.filter(succeeds=former, host=former.host_id)
    family = [former.pk, *successors.values_list("pk", flat=True)]
    PortLease.objects.filter(container__in=family).update(container=to)
    to.refresh_from_db()
