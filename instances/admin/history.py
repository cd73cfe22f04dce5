"""What a container has used in the last day, as plots of its samples."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from django.utils import timezone

from instances.admin.base import Section
from instances.admin.plots import Frame, Plot, Point, plot, rates
from instances.models import Container, ContainerSample

SHOWN = timedelta(days=1)
GAP = timedelta(minutes=12)
"""More than there is between samples where a host has very many containers."""
MIB = 2**20
NONE = "None was counted. Some kernels do not count what goes to disk."
NOTHING_YET = "Nothing was measured in this time."
Samples = Sequence[ContainerSample]


def section(container: Container | None) -> Section:
    title = "The last 24 hours"
    plots = list(plots_of(container)) if container is not None else []
    return Section(title, "admin/instances/section_plots.html", {"plots": plots})


def plots_of(container: Container) -> Iterator[Plot]:
    """One query, whatever there is."""
    now = timezone.now()
    frame = Frame(now - SHOWN, now, GAP)
    rows = ContainerSample.objects.filter(container=container, at__gte=frame.since)
    samples: Samples = list(rows.order_by("at"))
    cpu_limit = float(container.cpus) * 100
    yield plot("CPU", _rate(samples, "cpu_ms", 0.1), frame, percent, limit=cpu_limit)
    limit = container.memory_mb * MIB
    memory = _values(samples, lambda row: row.memory_bytes)
    yield plot("Memory", memory, frame, size, limit=limit)
    disk = _values(samples, lambda row: row.disk_bytes)
    limit_mb = container.disk_mb
    full = limit_mb * MIB if limit_mb else None
    yield plot("Disk", disk, frame, size, limit=full)
    yield plot(
        "Connections",
        _values(samples, lambda row: row.connections),
        frame,
        lambda number: f"{number:.0f}",
        empty="Nobody can say: this engine does not tell, or nothing was measured yet.",
    )
    for title, column in (
        ("Network in", "received_bytes"),
        ("Network out", "sent_bytes"),
        ("Read from disk", "read_bytes"),
        ("Written to disk", "written_bytes"),
    ):
        is_counted = any(getattr(row, column) for row in samples)
        points = _rate(samples, column) if is_counted or not samples else ()
        yield plot(title, points, frame, speed, empty=NONE if samples else NOTHING_YET)


def _values(
    samples: Samples, value: Callable[[ContainerSample], int | None]
) -> Iterator[Point]:
    for row in samples:
        found = value(row)
        if found is not None:
            yield row.at, float(found)


def _rate(samples: Samples, column: str, factor: float = 1) -> Iterator[Point]:
    points = ((row.at, getattr(row, column) * factor) for row in samples)
    return rates(points, GAP)


def percent(value: float) -> str:
    """Of one processor."""
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"


def size(value: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return _number(value, unit)
        value /= 1024
    return _number(value, "GiB")


def _number(value: float, unit: str) -> str:
    whole = unit == "B" or value >= 10
    return f"{value:.0f} {unit}" if whole else f"{value:.1f} {unit}"


def speed(value: float) -> str:
    return f"{size(value)}/s"
