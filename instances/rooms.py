"""The room that hosts have: for whoever looks for a place, or asks why there."""

from dataclasses import dataclass
from typing import Protocol

from django.db.models import Count, Q, Sum
from django.db.models.functions import Now

from instances import containers
from instances.models import Container, DockerHost, PortLease
from instances.models.docker_host import GIVEN, IS_STANDBY

SECRETS = ("tls_key", "ssh_key")


class Need(Protocol):
    """What asks for a place: a plan, or a container that is to move."""

    @property
    def image(self) -> str: ...

    @property
    def memory_mb(self) -> int: ...

    @property
    def host_labels(self) -> str: ...


@dataclass(frozen=True)
class Belongings:
    """What a container needs elsewhere: as it was made, where its plan may be."""

    image: str
    memory_mb: int
    host_labels: str

    @classmethod
    def of(cls, container: Container) -> "Belongings":
        labels = container.plan.host_labels if container.plan else ""
        return cls(container.image, container.memory_mb, labels)


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

    def lacks_image(self, plan: Need) -> bool:
        known = self.host.present_images
        return known is not None and plan.image not in known

    def refusal(self, plan: Need) -> str:
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

    def rank(self, plan: Need) -> tuple[bool, bool, bool, int, int]:
        """The lowest is the best: it answers, has the image and room, is emptiest."""
        return (
            not self.is_answering,
            self.lacks_image(plan),
            self.free_mb < plan.memory_mb,
            -self.free_mb,
            self.host.pk,
        )

    def merits(self, plan: Need) -> str:
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

    def give(self, plan: Need) -> None:
        """Count it as being there; standbys give way."""
        given_way = min(max(plan.memory_mb - self.free_mb, 0), self.standby_mb)
        self.standby_mb -= given_way
        self.free_mb += given_way - plan.memory_mb
        self.free_ports -= 1


def survey() -> list[Room]:
    """The room of every host."""
    containers_given = (
        Container.objects.filter(GIVEN)
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


def fitting(rooms: list[Room], plan: Need) -> list[Room]:
    """Those that can take one of the plan, the best first."""
    able = [room for room in rooms if not room.refusal(plan)]
    return sorted(able, key=lambda room: room.rank(plan))


def because(chosen: Room, rooms: list[Room], plan: Need) -> str:
    others = [
        f"{room.host} ({room.refusal(plan) or room.merits(plan)})"
        for room in rooms
        if room is not chosen
    ]
    text = f"{chosen.host}: {chosen.merits(plan)}"
    return f"{text}; not {', '.join(others)}" if others else f"{text}; the only host"


def no_room(rooms: list[Room], plan: Need) -> str:
    reasons = [f"{room.host}: {room.refusal(plan) or 'full by now'}" for room in rooms]
    listing = "; ".join(reasons) or "there is none"
    return f"no host can take {plan.memory_mb} MiB more ({listing})"
