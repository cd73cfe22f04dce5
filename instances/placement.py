"""Where a new container goes: a host with room, and a port on it.

Standby containers use what room is left over: they give way to a service instance,
never to each other.
"""

from collections import Counter
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Now

from instances import containers, errors
from instances.engines import new_secret
from instances.models import Container, DockerHost, PortLease, ServicePlan
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.models.docker_host import HOLDING, IS_STANDBY

SECRETS = ("tls_key", "ssh_key")


@dataclass
class Room:
    """What a host has left, and is known for, at the moment it was looked at."""

    host: DockerHost
    free_mb: int
    standby_mb: int
    """What its standbys would give."""
    free_ports: int

    @property
    def is_answering(self) -> bool:
        """By the last contact of any process, and by what this one has seen since."""
        return not self.host.problem and not containers.is_failing(self.host.url)

    def lacks_image(self, plan: ServicePlan) -> bool:
        known = self.host.present_images
        return known is not None and plan.image not in known

    def refusal(self, plan: ServicePlan) -> str:
        """Why it cannot take one of the plan; empty if it can."""
        missing = set(plan.host_labels.split()) - set(self.host.labels.split())
        if self.host.is_quarantined:
            return "another Docker Engine answers there"
        if self.host.is_braked:
            return "much of what was there is missing"
        if self.host.state != DockerHost.State.ACTIVE:
            return self.host.get_state_display()
        if missing:
            return f"has no label {' '.join(sorted(missing))}"
        if self.free_ports < 1:
            return "no free port"
        if self.free_mb + self.standby_mb < plan.memory_mb:
            return f"{max(self.free_mb, 0)} of {self.host.memory_mb} MiB free"
        return ""

    def rank(self, plan: ServicePlan) -> tuple[bool, bool, bool, int, int]:
        """The lowest is the best: it answers, has the image and room, is emptiest."""
        return (
            not self.is_answering,
            self.lacks_image(plan),
            self.free_mb < plan.memory_mb,
            -self.free_mb,
            self.host.pk,
        )

    def merits(self, plan: ServicePlan) -> str:
        words = [
            f"{max(self.free_mb, 0)} of {self.host.memory_mb} MiB free",
            f"{self.free_ports} free ports",
        ]
        if self.free_mb < plan.memory_mb:
            words.append("standbys give way")
        if self.lacks_image(plan):
            words.append("lacks the image")
        if not self.is_answering:
            words.append("did not answer")
        return ", ".join(words)


def survey() -> list[Room]:
    """The room of every host."""
    containers_given = (
        Container.objects.filter(state__in=HOLDING)
        .order_by()
        .values_list("host")
        .annotate(Sum("memory_mb"), standby=Sum("memory_mb", filter=IS_STANDBY))
    )
    given = {pk: (total, standby or 0) for pk, total, standby in containers_given}
    taken = dict(
        PortLease.objects.filter(
            Q(resting_until__isnull=True) | Q(resting_until__gt=Now())
        )
        .order_by()
        .values_list("host")
        .annotate(Count("pk"))
    )
    rooms = []
    for host in DockerHost.objects.defer(*SECRETS):
        total, standby = given.get(host.pk, (0, 0))
        ports = host.port_max - host.port_min + 1 - taken.get(host.pk, 0)
        rooms.append(Room(host, host.memory_mb - total, standby, ports))
    return rooms


def check_capacity(plan: ServicePlan) -> None:
    """Raise NoCapacity if no host can take one of the plan now."""
    rooms = survey()
    if not _fitting(rooms, plan):
        raise errors.NoCapacity(detail=_no_room(rooms, plan))


def is_elsewhere(plan: ServicePlan, dead: DockerHost) -> bool:
    """Whether another host, one that answers, can take one of the plan."""
    return any(
        room.is_answering and room.host.pk != dead.pk
        for room in _fitting(survey(), plan)
    )


def place(plan: ServicePlan) -> Container:
    """Choose a host, lease a port and write the container's row.

    Its `placed_because` says why there. Where no host has room, standbys of one are
    retired. Raise NoCapacity. Belongs into a transaction: the host's row stays locked,
    so that two at once cannot take the same room.
    """
    rooms = survey()
    return _place(plan, rooms, _fitting(rooms, plan), may_displace=True)


def place_standby(plan: ServicePlan) -> Container:
    """As place(), on a host that answers, and without retiring anything."""
    rooms = survey()
    roomy = [
        room
        for room in _fitting(rooms, plan)
        if room.is_answering and room.free_mb >= plan.memory_mb
    ]
    return _place(plan, rooms, roomy, may_displace=False)


def rehearse(plan: ServicePlan, number: int) -> tuple[Counter[int], list[Room]]:
    """Where so many would go: how many to each host's key, and what is left then.

    Nothing is written. What comes or goes meanwhile changes it.
    """
    rooms, placed = survey(), Counter[int]()
    for _ in range(number):
        fitting = _fitting(rooms, plan)
        if not fitting:
            break
        room = fitting[0]
        placed[room.host.pk] += 1
        given_way = min(max(plan.memory_mb - room.free_mb, 0), room.standby_mb)
        room.standby_mb -= given_way
        room.free_mb += given_way - plan.memory_mb
        room.free_ports -= 1
    return placed, rooms


def _fitting(rooms: list[Room], plan: ServicePlan) -> list[Room]:
    """Those that can take one of the plan, the best first."""
    able = [room for room in rooms if not room.refusal(plan)]
    return sorted(able, key=lambda room: room.rank(plan))


def _place(
    plan: ServicePlan, rooms: list[Room], candidates: list[Room], *, may_displace: bool
) -> Container:
    for candidate in candidates:
        host = DockerHost.objects.select_for_update().get(pk=candidate.host.pk)
        if not host.is_open:
            continue  # cordoned or quarantined meanwhile
        try:
            container = _place_on(host, plan, may_displace=may_displace)
        except errors.NoCapacity:
            continue  # no port or no memory any more: the next one may have some
        container.placed_because = _because(candidate, rooms, plan)
        return container
    raise errors.NoCapacity(detail=_no_room(rooms, plan))


def _because(chosen: Room, rooms: list[Room], plan: ServicePlan) -> str:
    others = [
        f"{room.host} ({room.refusal(plan) or room.merits(plan)})"
        for room in rooms
        if room is not chosen
    ]
    text = f"{chosen.host}: {chosen.merits(plan)}"
    return f"{text}; not {', '.join(others)}" if others else f"{text}; the only host"


def _no_room(rooms: list[Room], plan: ServicePlan) -> str:
    reasons = [f"{room.host}: {room.refusal(plan) or 'full by now'}" for room in rooms]
    listing = "; ".join(reasons) or "there is none"
    return f"no host can take {plan.memory_mb} MiB more ({listing})"


@transaction.atomic
def _place_on(host: DockerHost, plan: ServicePlan, *, may_displace: bool) -> Container:
    """The row and its port, or neither. Raise NoCapacity. Needs the host's lock."""
    # The row before the room: it waits for the plan's lock, and whoever has that may
    # be claiming a standby.
    container = Container.objects.create(
        host=host,
        plan=plan,
        engine=plan.offering.engine,
        admin_secret=new_secret(),
        **{name: getattr(plan, name) for name in (*MADE_WITH, *HELD_TO)},
    )
    PortLease.objects.reserve(container, host)
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
