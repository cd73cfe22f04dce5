"""Move: an instance gets a container on another host, with its data and its users.

All that takes long is done while it serves: the backup, the image, the room. Then the
database is stopped in order, so that nothing that was acknowledged can be missing, and
its files go straight into the new container. It is kept until a login into that one
has found what was written last; whatever fails before puts it back. After that it is
only removed, by whoever looks after its host: at once, or when that is back.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from instances import errors, placement, transactions
from instances.engines import get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.operations import (
    back_up,
    copying,
    disk,
    host_disk,
    hosts,
    image_sending,
    proof,
    readdress,
    restore,
    succession,
    swap,
)
from instances.operations.work import Verb, Work
from instances.rooms import Room, survey

logger = logging.getLogger(__name__)

BIND_LIMIT_S = 60.0
"""How long to wait for binds that were under way: a request carries each."""
POLL_S = 0.05


@transactions.repeated
def accept(
    instance: ServiceInstance,
    *,
    host: DockerHost | None = None,
    actor: Actor,
    is_safe: bool = True,
    is_drained: bool = False,
) -> Operation:
    """Record the wish, to that host or to the best one; is_safe: with a backup first.

    Raise InvalidRequest, NoCapacity, ConcurrencyError.
    """
    with transaction.atomic():
        locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        check(locked)
        check_place(locked, host)
        to = host.name if host else "the best host"
        AuditEvent.record(actor, "move", locked, to=to, drain=is_drained)
        request = {"host": host.pk if host else None, "drain": is_drained}
        operation = Operation.objects.enqueue(
            Kind.MOVE, locked, actor=actor, request=request
        )
        if is_safe:
            back_up.record(operation, trigger=Trigger.MOVE)
        return operation


def check(instance: ServiceInstance) -> None:
    """Raise InvalidRequest or ConcurrencyError if it cannot move, whereto ever."""
    container, state = instance.container, ServiceInstance.State
    if instance.state in (state.FAILED, state.GONE) or container is None:
        raise errors.InvalidRequest("The service instance has no database to move.")
    if instance.state != state.READY:
        raise errors.ConcurrencyError(detail=f"{instance} is {instance.state}")
    if container.host.problem or container.host.is_quarantined:
        raise errors.InvalidRequest(
            f"Its host {container.host} does not answer, so that its data cannot be "
            "fetched: wait until it does, or make a new service instance of a backup "
            "that has a copy elsewhere."
        )
    if not back_up.is_possible(instance):
        raise errors.InvalidRequest(
            "Nothing is known of the data in this image, so that it cannot be carried "
            "to another host: create a new service instance and load the data there."
        )
    disk.refuse_stopped_by_operator(instance)
    if container.disk_state == Container.DiskState.STOPPED:
        raise errors.InvalidRequest(
            "The database is stopped because its disk is full: lift the limit for an "
            "hour or give it a larger plan, then move it."
        )


def check_place(
    instance: ServiceInstance,
    host: DockerHost | None,
    rooms: list[Room] | None = None,
) -> None:
    """Raise InvalidRequest or NoCapacity if that host, or any, cannot take it now."""
    container = instance.container
    assert container is not None
    found = placement.destinations(container, rooms or survey())
    if host is None:
        if not any(not refusal for _, refusal in found):
            reasons = "; ".join(f"{room.host}: {refusal}" for room, refusal in found)
            raise errors.NoCapacity(
                "No other host can take it.", detail=reasons or "there is no host"
            )
        return
    for room, refusal in found:
        if room.host.pk == host.pk and refusal:
            raise errors.InvalidRequest(f"host: {host} cannot take it: {refusal}.")


class Elsewhere:
    """The old container's data, which goes to another host."""

    def admin_secret(self, former: Container) -> str:
        return former.admin_secret

    def prepare(self, work: Work, former: Container) -> None:
        _wait_for_binds(work)

    def fill(self, work: Work, former: Container, successor: Container) -> None:
        host_disk.refuse_move(former, successor)
        if former.state == Container.State.IN_USE:
            self._mark(work, former)
            with work.fenced():
                former.move(Container.State.KEPT, only_from=(Container.State.IN_USE,))
        swap.copy(work, former, successor)

    def _mark(self, work: Work, former: Container) -> None:
        """What was written last is found again, or the old one comes back."""
        work.step("marking and counting the data")
        operation, endpoint = work.operation, hosts.endpoint(former)
        engine, database = get_engine(former.engine), operation.instance.database
        engine.leave_witness(endpoint, database, operation.pk.hex)
        counts = engine.inventory(endpoint, database, operation.pk.hex)
        operation.write(request={**operation.request, "counts": counts})

    def check(self, work: Work, successor: Container) -> None:
        _refuse_running(successor)
        work.step("looking for the data")
        instance, witness = work.operation.instance, work.operation.pk.hex
        engine, endpoint = get_engine(successor.engine), hosts.endpoint(successor)
        found = engine.inventory(endpoint, instance.database, witness)
        proof.compare({"before": work.operation.request["counts"]}, found)
        work.step("letting today's bindings in")
        restore.let_in(instance, successor)

    def wipe(self, operation: Operation, container: Container) -> None:
        engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
        database = operation.instance.database
        engine.remove_witness(endpoint, database, operation.pk.hex)


def _refuse_running(successor: Container) -> None:
    """No port keeps the old one down, which apps with the old address write into."""
    former = successor.succeeds
    assert former is not None
    try:
        status = hosts.connect(former.host).find(former.name)
    except errors.HostUnreachable:
        return  # It may never come back; its data is here.
    if status is not None and status.is_running:
        raise errors.ContainerFailed(
            detail=f"{former} was started after its data had been copied"
        )


def _wait_for_binds(work: Work) -> None:
    """None begins any more; one that has begun may tell the old address (I4)."""
    binds = work.operation.instance.operations.unfinished().filter(kind=Kind.BIND)
    deadline = time.monotonic() + BIND_LIMIT_S
    while binds.exists():
        work.check()
        if time.monotonic() > deadline:
            raise errors.Transient(detail="a bind that was under way does not end")
        time.sleep(POLL_S)


def _recorded(
    work: Work, former: Container, made_with: Mapping[str, Any], admin_secret: str
) -> Container:
    """The successor's row on its host, with a port; the old one serves meanwhile."""
    with work.fenced():
        abandoned = list(former.current_successors())
        wanted = work.operation.request["host"]
        successor = placement.place_successor(former, dict(made_with), on=wanted)
        for row in abandoned:
            row.retire()
            row.host.reconcile_soon()
    work.step(f"moving to {successor.host}, port {successor.port}")
    work.operation.explain(successor.placed_because)
    _bring_image(work, former, successor)
    return successor


def _bring_image(work: Work, former: Container, successor: Container) -> None:
    """The one that it runs, which no plan may name any more."""
    source, target = hosts.connect(former.host), hosts.connect(successor.host)
    if target.images.find(successor.image) is not None:
        return
    found = source.images.find(former.image)
    if found is None:
        raise errors.ImageMissing(
            detail=f"{former.image} is neither on {successor.host} nor, any more, on "
            f"{former.host}: prestage it there"
        )
    work.step(f"sending image {former.image} to {successor.host}")
    said_at = time.monotonic()

    def report(text: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > copying.REPORT_S:
            said_at = time.monotonic()
            work.step(text)

    image_sending.send(former.image, found.id, source, target, report=report)


def _perform(work: Work) -> None:
    instance = work.operation.instance
    container = instance.container
    assert container is not None
    back_up.take_all(work, container)
    made_with = {name: getattr(container, name) for name in (*MADE_WITH, *HELD_TO)}
    swap.swap(work, container, made_with, Elsewhere(), _recorded)
    _succeed(work)


def _succeed(work: Work) -> None:
    instance = work.operation.instance
    former = instance.container
    assert former is not None
    with work.succeeding():
        successor = succession.decided(former)
        assert successor is not None
        succession.finish(instance, successor)
        readdress.readdress(instance, former, successor)


def _give_up(work: Work, error: errors.BrokerError) -> None:
    container = work.operation.instance.container
    if container is not None and succession.decided(container):
        return _succeed(work)
    with work.failing(error):
        back_up.abandon(work.operation, error.detail or str(error))
        if container is not None:
            # Those of an old one that has not been stopped, too.
            for successor in container.current_successors():
                successor.retire()
                successor.host.reconcile_soon()
            succession.put_back(container)


def _clean_up(work: Work) -> None:
    back_up.clean_up(work)
    succession.settle(work.operation, Elsewhere())


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
