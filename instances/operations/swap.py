"""Swap: another container takes an instance over, with its data and its port.

The new one is made first, so that a missing image or a full host stops nothing. Then
the old one is stopped and kept, until a login into the new one has found what was
written into the old one last; whatever fails before that puts the old one back.

Each attempt makes a container of its own, so that a late one can do no harm. Only one
that has been started is gone on with: apps may have written into it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, Protocol

from instances import errors, placement
from instances.engines import User, get_engine, new_secret
from instances.models import (
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceInstance,
)
from instances.operations import hosts
from instances.operations.starting import wait_until_ready
from instances.operations.work import Work

logger = logging.getLogger(__name__)

SETTLE_LIMIT_S = 20.0
"""How long to wait for the old database: a platform may wait for the answer."""
STOP_LIMIT_S = 60
STOPPING = "stopping the database"
"""The step with which the outage begins."""
READY_LIMIT_S = 600.0
"""A server that was not stopped in order reads much of its data first."""
REPORT_S = 5.0
_State = Container.State


Recorder = Callable[[Work, Container, Mapping[str, Any], str], Container]
"""Writes the successor's row: given the former, what it is made with, and a secret."""


class Source(Protocol):
    """Where the successor's data comes from."""

    def admin_secret(self, former: Container) -> str: ...

    def prepare(self, work: Work, former: Container) -> None:
        """While the old one still runs."""

    def fill(self, work: Work, former: Container, successor: Container) -> None:
        """Put the data into the created successor."""

    def check(self, work: Work, successor: Container) -> None:
        """See that it is there, and that today's users can use it."""

    def wipe(self, operation: Operation, container: Container) -> None:
        """Take out what was only there for the check."""


def swap(
    work: Work,
    former: Container,
    made_with: Mapping[str, Any],
    source: Source,
    record: Recorder | None = None,
) -> Container:
    """Start the successor, of this image and these limits, and find the data in it.

    It is beside the former one, unless somebody else records it.

    Where an earlier attempt has got so far, go on with its one. In the rows both
    are there afterwards: finish() or put_back() ends that.
    """
    successor = _started_before(former)
    if successor is None:
        successor = _started(work, former, made_with, source, record or _recorded)
    if successor.state == _State.STARTING:
        wait_until_ready(
            successor, step=work.step, check=work.check, limit_s=READY_LIMIT_S
        )
        source.check(work, successor)
        with work.fenced():
            # From now on the mark may go, and the old one does not come back.
            successor.move(_State.ADOPTING, only_from=(_State.STARTING,))
    try:
        source.wipe(work.operation, successor)
    except errors.EngineUnreachable as error:
        # There is no way back, and it opens nothing and hides nothing.
        logger.warning("%s keeps its mark: %s", successor, error.detail)
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
    if former.port is None:
        _pass_port(former, to=former)
    for successor in former.current_successors():
        successor.retire()
    former.move(_State.IN_USE, only_from=(_State.KEPT,))


def settle(operation: Operation, source: Source | None = None) -> None:
    """Make the containers what the rows say, after put_back() or a late attempt."""
    instance = ServiceInstance.objects.get(pk=operation.instance_id)
    container = instance.container
    if container is None:
        return
    for successor in container.successors.all():
        _remove_if_unwanted(successor, container)
    if container.state != _State.IN_USE:
        return
    hosts.start_again(container)
    wait_until_ready(
        container,
        step=lambda text: None,
        check=lambda: None,
        limit_s=SETTLE_LIMIT_S,
    )
    (source or OwnData()).wipe(operation, container)


def _remove_if_unwanted(successor: Container, former: Container) -> None:
    """One on another host, which may be down, keeps no port from the former one."""
    try:
        hosts.remove_if_unwanted(successor)
    except errors.HostUnreachable as error:
        if successor.host_id == former.host_id:
            raise
        logger.warning("container=%s goes later: %s", successor, error.detail)


def _started_before(former: Container) -> Container | None:
    """What an earlier attempt has started; apps may use it since.

    What none has started goes now, so that no late attempt can start it either.
    """
    for successor in former.current_successors():
        if not hosts.connect(successor.host).discard(successor.name):
            return successor
    return None


def _started(
    work: Work,
    former: Container,
    made_with: Mapping[str, Any],
    source: Source,
    record: Recorder,
) -> Container:
    if former.state == _State.IN_USE:
        source.prepare(work, former)
    successor = record(work, former, made_with, source.admin_secret(former))
    host = hosts.connect(successor.host)
    work.step(f"creating a container of image {successor.image}")
    host.create(hosts.spec(successor))
    source.fill(work, former, successor)
    stop(work, former)
    work.step("starting the new container")
    host.start(successor.name)
    return successor


def stop(work: Work, former: Container) -> None:
    """One that is lost is stopped for good."""
    work.step(STOPPING)
    try:
        hosts.connect(former.host).stop(former.name, limit_s=STOP_LIMIT_S)
    except errors.ContainerFailed:
        if not hosts.is_absent(former):
            raise


def _recorded(
    work: Work, former: Container, made_with: Mapping[str, Any], admin_secret: str
) -> Container:
    """The successor's row, with the port; its room is the former one's and more."""
    keeps = admin_secret == former.admin_secret
    with work.fenced():
        host = DockerHost.objects.select_for_update().get(pk=former.host_id)
        abandoned = list(former.current_successors())
        successor = Container.objects.create(
            host=host,
            plan=former.plan,
            engine=former.engine,
            admin_secret=admin_secret,
            # The data knows it: with another one, it would be taken for a backup's.
            first_secret=former.first_secret if keeps else "",
            succeeds=former,
            **made_with,
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
    # Those elsewhere, which a move has left behind, have ports of their own.
    successors = Container.objects.filter(succeeds=former, host=former.host_id)
    family = [former.pk, *successors.values_list("pk", flat=True)]
    PortLease.objects.filter(container__in=family).update(container=to)
    to.refresh_from_db()


class OwnData:
    """The old container's own: an upgrade, which must lose nothing."""

    def admin_secret(self, former: Container) -> str:
        return former.admin_secret

    def prepare(self, work: Work, former: Container) -> None:
        work.step("marking the data")
        database = work.operation.instance.database
        user = User(mark_of(work.operation), new_secret(), database, connections=1)
        get_engine(former.engine).create_user(hosts.endpoint(former), user)

    def fill(self, work: Work, former: Container, successor: Container) -> None:
        stop(work, former)
        copy(work, former, successor)

    def check(self, work: Work, successor: Container) -> None:
        """Without it this is the image's empty database, and no data has come."""
        work.step("looking for the data")
        engine, endpoint = get_engine(successor.engine), hosts.endpoint(successor)
        if mark_of(work.operation) not in engine.users(endpoint):
            raise errors.ContainerFailed(
                detail=f"{successor} of image {successor.image} has started without "
                f"the data: its entrypoint must take {engine.incoming_path}/data in"
            )

    def wipe(self, operation: Operation, container: Container) -> None:
        engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
        engine.drop_user(endpoint, mark_of(operation))


def copy(
    work: Work,
    former: Container,
    successor: Container,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Put one container's data into another one that was never started."""
    engine = get_engine(former.engine)
    work.step("copying the data")
    host, target = hosts.connect(former.host), hosts.connect(successor.host)
    # Docker lets nobody at a container that is being read, not even to start it.
    with closing(host.read_archive(former.name, engine.data_path)) as chunks:
        coming = _reported(work, chunks, meanwhile)
        target.write_archive(successor.name, engine.incoming_path, coming)


def _reported(
    work: Work, chunks: Iterable[bytes], meanwhile: Callable[[], None]
) -> Iterator[bytes]:
    """The chunks; now and then the progress, if this attempt still may go on."""
    copied, said_at = 0, time.monotonic()
    for chunk in chunks:
        copied += len(chunk)
        if time.monotonic() - said_at > REPORT_S:
            said_at = time.monotonic()
            work.step(f"copied {copied // 2**20} MiB")
            meanwhile()
        yield chunk


def mark_of(operation: Operation) -> str:
    """A user that nobody can be: only the data tells whether it is there."""
    return f"u{operation.pk.hex[:24]}"
