"""What a move or a drain would do, in numbers, before anybody asks for it."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum

from instances import errors, placement
from instances.models import (
    Container,
    DockerHost,
    Kind,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import leftovers, move
from instances.operations.restore_forecast import last_outage
from instances.rooms import Belongings, survey

DOWN_AT_LEAST = timedelta(seconds=2)
DOWN_PER_MB = timedelta(milliseconds=20)
"""Read on one host, sent, and written on the other: 50 MB a second."""


@dataclass(frozen=True)
class Destination:
    host: DockerHost
    refusal: str
    """Why it cannot be; empty if it can."""
    merits: str
    is_same_address: bool
    """Whether apps reach it under the address that they know."""


@dataclass(frozen=True)
class Going:
    """One service instance of a host that is to be drained."""

    instance: ServiceInstance
    host: DockerHost | None
    """None: it stays."""
    why: str
    stale: int
    """How many bindings will have an address that is not true any more."""


@dataclass(frozen=True)
class DrainForecast:
    going: list[Going]
    standbys: int
    backups: int
    backups_bytes: int
    copies: int

    @property
    def stuck(self) -> list[Going]:
        return [row for row in self.going if row.host is None]

    @property
    def moving(self) -> list[Going]:
        return [row for row in self.going if row.host is not None]

    @property
    def held(self) -> timedelta:
        """How long writers are held in all, one after the other."""
        containers = (row.instance.container for row in self.moving)
        return sum((outage(row) for row in containers if row), timedelta())


def destinations(instance: ServiceInstance) -> list[Destination]:
    """Every host, the best first."""
    container = instance.container
    assert container is not None
    need = Belongings.of(container)
    return [
        Destination(
            room.host,
            refusal,
            room.merits(need),
            room.host.database_host == container.host.database_host,
        )
        for room, refusal in placement.destinations(container, survey())
    ]


def outage(container: Container) -> timedelta:
    """How long nobody can write: an estimate by size."""
    return DOWN_AT_LEAST + (container.disk_bytes or 0) / 1e6 * DOWN_PER_MB


def last_held(container: Container) -> timedelta | None:
    """How long that was at the last move of such a database."""
    return last_outage(Kind.MOVE, container.engine)


def of_drain(host: DockerHost) -> DrainForecast:
    standbys = host.containers.standbys().count()
    backups = host.backups.filter(state__in=leftovers.HELD)
    sizes = backups.aggregate(total=Sum("delta_bytes"))
    return DrainForecast(
        going=_going(host),
        standbys=standbys,
        backups=backups.count(),
        backups_bytes=sizes["total"] or 0,
        copies=host.backup_copies.wanted().count(),
    )


def _going(host: DockerHost) -> list[Going]:
    rows = ServiceInstance.objects.filter(container__host=host)
    rows = rows.exclude(state=ServiceInstance.State.GONE).defer(*leftovers.SECRETS)
    related = ("plan__offering", "container__host", "container__plan")
    movable: dict[uuid.UUID, ServiceInstance] = {}
    found = []
    for instance in rows.select_related(*related).order_by("created_at"):
        assert instance.container is not None
        try:
            move.check(instance)
        except errors.BrokerError as error:
            words = dict.fromkeys((str(error), error.detail))
            found.append(Going(instance, None, " ".join(words), 0))
        else:
            movable[instance.container.pk] = instance
    return [*found, *_rehearsed(movable)]


def _rehearsed(movable: dict[uuid.UUID, ServiceInstance]) -> Iterator[Going]:
    """By the keys of their containers."""
    rows = [row.container for row in movable.values() if row.container]
    ready = ServiceBinding.State.READY
    for container, host, why in placement.rehearse_moves(rows):
        # An address that both share may be kept, if the port is free there.
        stays = host is None or host.database_host == container.host.database_host
        bound = ServiceBinding.objects.filter(
            instance__container=container, state=ready
        )
        stale = 0 if stays else bound.count()
        yield Going(movable[container.pk], host, why, stale)
