"""Swap: another container takes an instance over, with its data and its port.

The new one is made first, so that a missing image or a full host stops nothing. Then
the old one is stopped and kept, until a login into the new one has found what was
written into the old one last; whatever fails before that puts the old one back.

Each attempt makes a container of its own, so that a late one can do no harm. Only one
that has been started is gone on with: apps may have written into it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from instances import errors, placement
from instances.engines import User, get_engine, new_secret
from instances.models import (
    Container,
    DockerHost,
    Operation,
)
from instances.operations import copying, hosts, succession
from instances.operations.work import Work

STOP_LIMIT_S = 60
STOPPING = "stopping the database"
"""The step with which the outage begins."""
READY_LIMIT_S = 600.0
"""A server that was not stopped in order reads much of its data first."""
_State = Container.State


Recorder = Callable[[Work, Container, Mapping[str, Any], str], Container]
"""Writes the successor's row: given the former, what it is made with, and a secret."""


def swap(
    work: Work,
    former: Container,
    made_with: Mapping[str, Any],
    source: succession.Source,
    record: Recorder | None = None,
) -> Container:
    """Start the successor, of this image and these limits, and find the data in it.

    It is beside the former one, unless somebody else records it.

    Where an earlier attempt has got so far, go on with its one. In the rows both
    are there afterwards: finish() or put_back() ends that.
    """
    successor = succession.started_before(former)
    if successor is None:
        successor = _started(work, former, made_with, source, record or _recorded)
    if successor.state == _State.STARTING:
        succession.wait(work, successor, READY_LIMIT_S)
        source.check(work, successor)
        succession.decide(work, successor)
    succession.wipe(work, successor, source)
    return successor


def _started(
    work: Work,
    former: Container,
    made_with: Mapping[str, Any],
    source: succession.Source,
    record: Recorder,
) -> Container:
    if former.state == _State.IN_USE:
        source.prepare(work, former)
    successor = record(work, former, made_with, source.admin_secret(former))
    host = hosts.connect(successor.host)
    work.step(f"creating a container of image {successor.image}")
    host.create(hosts.spec(successor))
    source.fill(work, former, successor)
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


def copy(work: Work, former: Container, successor: Container) -> None:
    """Stop it and copy its data. Raise Transient if anyone has started it meanwhile.

    That may be a late attempt, or a late reconciliation, that has read the rows when
    it was to run: what apps have written since is in no copy (I3, I11).
    """
    last_start = _last_start(former)
    stop(work, former)
    copying.copy(work, former, successor)
    stop(work, former)
    if _last_start(former) != last_start:
        raise errors.Transient(
            detail=f"{former} was started while its data was copied: it is copied anew"
        )


def _last_start(container: Container) -> datetime | None:
    status = hosts.connect(container.host).find(container.name)
    return None if status is None else status.started_at


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
        succession.pass_port(former, to=successor)
        for row in abandoned:
            row.retire()
        former.move(_State.KEPT, only_from=(_State.IN_USE, _State.KEPT))
        if successor.memory_mb > former.memory_mb:
            placement.make_room(host)
    return successor


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


def mark_of(operation: Operation) -> str:
    """A user that nobody can be: only the data tells whether it is there."""
    return f"u{operation.pk.hex[:24]}"
