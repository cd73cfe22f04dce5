"""Swap: another container takes an instance over, with its data and its port.

The new one is made first, so that a missing image or a full host stops nothing. Then
the old one is stopped and kept, until a login into the new one has found what was
written into the old one last; whatever fails before that puts the old one back.

Each attempt makes a container of its own, so that a late one can do no harm. Only one
that has been started is gone on with: apps may have written into it.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing

from instances import errors, placement
from instances.engines import User, get_engine, new_secret
from instances.models import (
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceInstance,
    ServicePlan,
)
from instances.models.container import MADE_WITH
from instances.operations import hosts
from instances.operations.starting import wait_until_ready
from instances.operations.work import Work

logger = logging.getLogger(__name__)

STOP_LIMIT_S = 60
READY_LIMIT_S = 600.0
"""A server that was not stopped in order reads much of its data first."""
REPORT_S = 5.0
_State = Container.State


def swap(work: Work, former: Container, plan: ServicePlan) -> Container:
    """Start the successor, made as the plan is now, and find the data in it.

    Where an earlier attempt has got so far, go on with its one. In the rows both
    are there afterwards: finish() or put_back() ends that.
    """
    successor = _started_before(former)
    if successor is None:
        successor = _started(work, former, plan)
    if successor.state == _State.STARTING:
        wait_until_ready(
            successor, step=work.step, check=work.check, limit_s=READY_LIMIT_S
        )
        _find_mark(work, successor)
        with work.fenced():
            # From now on the mark may go, and the old one does not come back.
            successor.move(_State.ADOPTING, only_from=(_State.STARTING,))
    _wipe_mark(work.operation, successor)
    return successor


def decided(former: Container) -> Container | None:
    """The successor whose data has been found: there is no way back behind that."""
    return former.current_successors().filter(state=_State.ADOPTING).first()


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
    _pass_port(former, to=former)
    for successor in former.current_successors():
        successor.retire()
    former.move(_State.IN_USE, only_from=(_State.KEPT,))


def settle(operation: Operation) -> None:
    """Make the containers what the rows say, after put_back() or a late attempt."""
    instance = ServiceInstance.objects.get(pk=operation.instance_id)
    container = instance.container
    if container is None:
        return
    for successor in container.successors.all():
        hosts.remove_if_unwanted(successor)
    if container.state != _State.IN_USE:
        return
    host = hosts.connect(container.host)
    host.limit(hosts.spec(container))
    host.start(container.name)
    wait_until_ready(container, step=lambda text: None, check=lambda: None)
    _wipe_mark(operation, container)


def _started_before(former: Container) -> Container | None:
    """What an earlier attempt has started; apps may use it since.

    What none has started goes now, so that no late attempt can start it either.
    """
    for successor in former.current_successors():
        if not hosts.connect(successor.host).discard(successor.name):
            return successor
    return None


def _started(work: Work, former: Container, plan: ServicePlan) -> Container:
    host = hosts.connect(former.host)
    if former.state == _State.IN_USE:
        _leave_mark(work, former)
    successor = _recorded(work, former, plan)
    work.step(f"creating a container of image {successor.image}")
    host.create(hosts.spec(successor))
    work.step("stopping the database")
    host.stop(former.name, limit_s=STOP_LIMIT_S)
    _copy(work, former, successor)
    work.step("starting the new container")
    host.start(successor.name)
    return successor


def _recorded(work: Work, former: Container, plan: ServicePlan) -> Container:
    """The successor's row, with the port; its room is the former one's and more."""
    with work.fenced():
        host = DockerHost.objects.select_for_update().get(pk=former.host_id)
        abandoned = list(former.current_successors())
        successor = Container.objects.create(
            host=host,
            plan=plan,
            engine=former.engine,
            admin_secret=former.admin_secret,
            succeeds=former,
            **{name: getattr(plan, name) for name in MADE_WITH},
        )
        _pass_port(former, to=successor)
        for row in abandoned:
            row.retire()
        former.move(_State.KEPT, only_from=(_State.IN_USE, _State.KEPT))
        if successor.memory_mb > former.memory_mb:
            placement.make_room(host)
    return successor


def _pass_port(former: Container, *, to: Container) -> None:
    """Give the port that the former or one of its successors has to one of them."""
    successors = Container.objects.filter(succeeds=former)
    family = [former.pk, *successors.values_list("pk", flat=True)]
    PortLease.objects.filter(container__in=family).update(container=to)
    to.refresh_from_db()


def _copy(work: Work, former: Container, successor: Container) -> None:
    engine = get_engine(former.engine)
    work.step("copying the data")
    host, target = hosts.connect(former.host), hosts.connect(successor.host)
    # Docker lets nobody at a container that is being read, not even to start it.
    with closing(host.read_archive(former.name, engine.data_path)) as chunks:
        coming = _reported(work, chunks)
        target.write_archive(successor.name, engine.incoming_path, coming)


def _reported(work: Work, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks; now and then the progress, if this attempt still may go on."""
    copied, said_at = 0, time.monotonic()
    for chunk in chunks:
        copied += len(chunk)
        if time.monotonic() - said_at > REPORT_S:
            said_at = time.monotonic()
            work.step(f"copied {copied // 2**20} MiB")
        yield chunk


def mark_of(operation: Operation) -> str:
    """A user that nobody can be: only the data tells whether it is there."""
    return f"u{operation.pk.hex[:24]}"


def _leave_mark(work: Work, former: Container) -> None:
    work.step("marking the data")
    database = work.operation.instance.database
    user = User(mark_of(work.operation), new_secret(), database, connections=1)
    get_engine(former.engine).create_user(hosts.endpoint(former), user)


def _wipe_mark(operation: Operation, container: Container) -> None:
    """Nobody knows its password: one that stays behind opens nothing."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    try:
        engine.drop_user(endpoint, mark_of(operation))
    except errors.EngineUnreachable as error:
        logger.warning("operation=%s leaves its mark: %s", operation.pk, error.detail)


def _find_mark(work: Work, successor: Container) -> None:
    """Without it this is the image's empty database, and no data has come along."""
    work.step("looking for the data")
    engine, endpoint = get_engine(successor.engine), hosts.endpoint(successor)
    if mark_of(work.operation) not in engine.users(endpoint):
        raise errors.ContainerFailed(
            detail=f"{successor} of image {successor.image} has started without the "
            f"data: its entrypoint must take {engine.incoming_path}/data in"
        )
