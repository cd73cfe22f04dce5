"""A week that a new site has not seen: samples as they would have been taken.

Only for pictures, whose plots would be empty: nobody waits a week for them.
"""

import math
import random
from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from instances.models import Container, ContainerSample, DockerHost, HostSample

MIB = 2**20
STEP = timedelta(minutes=5)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def make() -> None:
    chance = random.Random(7)  # noqa: S311
    # Those of the first minute, when there was nothing yet.
    HostSample.objects.all().delete()
    ContainerSample.objects.all().delete()
    for container in Container.objects.filter(state=Container.State.IN_USE):
        ContainerSample.objects.bulk_create(_day(container, chance))
    for host in DockerHost.objects.all():
        HostSample.objects.bulk_create(_week(host, chance))


def _day(container: Container, chance: random.Random) -> Iterator[ContainerSample]:
    """Busy in the daytime; counters go up, gauges go to and fro."""
    now = timezone.now()
    size = chance.uniform(0.5, 1)
    cpu_ms = received = written = 0.0
    for step in range(DAY // STEP, 0, -1):
        at = now - step * STEP
        busy = _busy(at.hour + at.minute / 60) * size * chance.uniform(0.8, 1.2)
        cpu_ms += busy * 0.35 * STEP.total_seconds() * 1000
        received += busy * 60_000 * STEP.total_seconds()
        written += busy * 180_000 * STEP.total_seconds()
        yield ContainerSample(
            container=container,
            at=at,
            is_coarse=step % 2 == 0,
            cpu_ms=int(cpu_ms),
            memory_bytes=int(container.memory_mb * MIB * (0.35 + busy * 0.3)),
            received_bytes=int(received),
            sent_bytes=int(received * 4),
            read_bytes=int(written / 9),
            written_bytes=int(written),
            disk_bytes=int((190 - step / 6) * MIB * size),
            processes=14,
            connections=round(busy * 14),
        )


def _week(host: DockerHost, chance: random.Random) -> Iterator[HostSample]:
    now = timezone.now()
    containers = host.containers.filter(state=Container.State.IN_USE)
    number, given = containers.count(), sum(row.memory_mb for row in containers)
    hours = int(WEEK.total_seconds() // 3600)
    for hour in range(hours, 0, -1):
        share = 1 - hour / hours / 2
        there = math.ceil(number * share)
        yield HostSample(
            host=host,
            at=now - timedelta(hours=hour),
            is_coarse=True,
            memory_mb=host.memory_mb,
            given_mb=int(given * there / max(number, 1)),
            free_bytes=host.free_bytes,
            ports=host.port_max - host.port_min + 1,
            ports_used=there,
            containers=there,
            standbys=0,
            instances=there,
            operations_running=0,
            operations_failed=int(chance.random() < 0.02),
        )


def _busy(hour: float) -> float:
    """From 0 to 1; most in the early afternoon."""
    return 0.12 + 0.88 * math.exp(-(((hour - 14) / 4.2) ** 2))
