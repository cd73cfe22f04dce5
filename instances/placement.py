"""Where a new container goes: a host with room, and a port on it.

Standby containers use what room is left over: they give way to a service instance,
never to each other.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.db import transaction

from instances import errors
from instances.engines import new_secret
from instances.models import Container, DockerHost, PortLease, ServicePlan
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.rooms import (
    Belongings,
    Need,
    Room,
    because,
    fitting,
    no_room,
    survey,
)

Make = Callable[..., Container]
"""Writes the row of a container on the host that it is given."""


def check_capacity(plan: ServicePlan) -> None:
    """Raise NoCapacity if no host can take one of the plan now."""
    rooms = survey()
    if not fitting(rooms, plan):
        raise errors.NoCapacity(detail=no_room(rooms, plan))


def is_elsewhere(plan: ServicePlan, dead: DockerHost) -> bool:
    """Whether another host, one that answers, can take one of the plan."""
    return any(
        room.is_answering and room.host.pk != dead.pk
        for room in fitting(survey(), plan)
    )


def place(plan: ServicePlan) -> Container:
    """Choose a host, lease a port and write the container's row.

    Its `placed_because` says why there. Where no host has room, standbys of one are
    retired. Raise NoCapacity. Belongs into a transaction: the host's row stays locked,
    so that two at once cannot take the same room.
    """
    rooms = survey()
    return _place(
        plan, rooms, fitting(rooms, plan), may_displace=True, make=_maker(plan)
    )


def place_standby(plan: ServicePlan) -> Container:
    """As place(), on a host that answers, and without retiring anything."""
    rooms = survey()
    roomy = [
        room
        for room in fitting(rooms, plan)
        if room.is_answering and room.free_mb >= plan.memory_mb
    ]
    return _place(plan, rooms, roomy, may_displace=False, make=_maker(plan))


def rehearse(plan: ServicePlan, number: int) -> tuple[Counter[int], list[Room]]:
    """Where so many would go: how many to each host's key, and what is left then.

    Nothing is written. What comes or goes meanwhile changes it.
    """
    rooms, placed = survey(), Counter[int]()
    for _ in range(number):
        able = fitting(rooms, plan)
        if not able:
            break
        placed[able[0].host.pk] += 1
        able[0].give(plan)
    return placed, rooms


def destinations(container: Container, rooms: Iterable[Room]) -> list[tuple[Room, str]]:
    """Each host with why it cannot take the container over; the best comes first."""
    need = Belongings.of(container)
    found = [(room, _move_refusal(room, need, container)) for room in rooms]
    return sorted(found, key=lambda pair: (bool(pair[1]), pair[0].rank(need)))


def _move_refusal(room: Room, need: Need, container: Container) -> str:
    if room.host.pk == container.host_id:
        return "it is there already"
    refusal = room.refusal(need)
    return refusal or ("" if room.is_answering else "did not answer")


def rehearse_moves(
    containers: Iterable[Container],
) -> list[tuple[Container, DockerHost | None, str]]:
    """Where each would go, one after the other, and why; None: nowhere.

    The largest comes first: the room that is left over may do for the smaller ones.
    """
    rooms = survey()
    found: list[tuple[Container, DockerHost | None, str]] = []
    for container in sorted(containers, key=lambda row: (-row.memory_mb, row.pk)):
        need, choice = Belongings.of(container), destinations(container, rooms)
        best = next((room for room, refusal in choice if not refusal), None)
        if best is None:
            others = (pair for pair in choice if pair[0].host.pk != container.host_id)
            reasons = [f"{room.host}: {refusal}" for room, refusal in others]
            why = "; ".join(reasons) or "there is no other host"
            found.append((container, None, why))
        else:
            found.append((container, best.host, best.merits(need)))
            best.give(need)
    return found


def place_successor(
    former: Container, made_with: dict[str, Any], *, on: int | None = None
) -> Container:
    """As place(): a container on another host that is to take over, or on this one.

    Where apps reach both hosts under one address, it gets the same port if it can.
    Raise NoCapacity.
    """
    need = Belongings.of(former)
    rooms = [room for room in survey() if room.host.pk != former.host_id]
    able = [room for room, refusal in destinations(former, rooms) if not refusal]
    candidates = [room for room in able if on in (None, room.host.pk)]
    address, port = former.host.database_host, former.port
    make = partial(
        Container.objects.create,
        plan=former.plan,
        engine=former.engine,
        admin_secret=former.admin_secret,
        # The data knows it: with another one, it would be taken for a backup's.
        first_secret=former.first_secret,
        succeeds=former,
        **made_with,
    )
    return _place(
        *(need, rooms, candidates),
        may_displace=True,
        make=make,
        port=lambda host: port if host.database_host == address else None,
    )


def _maker(plan: ServicePlan) -> Make:
    return partial(
        Container.objects.create,
        plan=plan,
        engine=plan.offering.engine,
        admin_secret=new_secret(),
        **{name: getattr(plan, name) for name in (*MADE_WITH, *HELD_TO)},
    )


def _place(
    plan: Need,
    rooms: list[Room],
    candidates: list[Room],
    *,
    may_displace: bool,
    make: Make,
    port: Callable[[DockerHost], int | None] = lambda host: None,
) -> Container:
    for candidate in candidates:
        host = DockerHost.objects.select_for_update().get(pk=candidate.host.pk)
        if not host.is_open:
            continue  # cordoned or quarantined meanwhile
        try:
            container = _place_on(host, make, port(host), may_displace=may_displace)
        except errors.NoCapacity:
            continue  # no port or no memory any more: the next one may have some
        container.placed_because = because(candidate, rooms, plan)
        return container
    raise errors.NoCapacity(detail=no_room(rooms, plan))


@transaction.atomic
def _place_on(
    host: DockerHost, make: Make, port: int | None, *, may_displace: bool
) -> Container:
    """The row and its port, or neither. Raise NoCapacity. Needs the host's lock."""
    # The row before the room: it waits for the plan's lock, and whoever has that may
    # be claiming a standby.
    container = make(host=host)
    PortLease.objects.reserve(container, host, preferred=port)
    make_room(host, may_displace=may_displace)
    return container


def make_room(host: DockerHost, *, may_displace: bool = True) -> None:
    """See that the budget holds what is on the host by now; standbys give way.

    Raise NoCapacity. Belongs into a transaction that has locked the host's row.
    """
    lacking_mb = -host.free_memory_mb()
    if lacking_mb > 0 and may_displace:
        lacking_mb -= displace_standbys(host, lacking_mb)
    if lacking_mb > 0:
        raise errors.NoCapacity(detail=f"host {host} lacks {lacking_mb} MiB")


def displace_standbys(host: DockerHost, wanted_mb: int) -> int:
    """Retire so many that they give this memory; return how much they do give.

    The newest go first. Belongs into a transaction that has locked the host's row.
    """
    given_mb = 0
    for standby in host.containers.standbys().order_by("-created_at"):
        if given_mb >= wanted_mb:
            break
        if standby.dismiss():
            given_mb += standby.memory_mb
    return given_mb
