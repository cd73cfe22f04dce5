"""Backups over time, drawn by the server: an SVG of classes, without any script."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from instances.admin.base import Section
from instances.admin.html import TONE_OF, change_url, mebibytes
from instances.models import Backup, ServiceInstance

TEMPLATE = "admin/instances/section_chart.html"
WIDTH, HEIGHT = 720, 180
LEFT, RIGHT, TOP, BOTTOM = 78, 12, 14, 24
MOST_DOTS = 200
SHOWN = timedelta(days=30)


@dataclass(frozen=True)
class _Frame:
    """Where a moment and a size are in the picture."""

    since: datetime
    until: datetime
    most: int

    def x(self, at: datetime) -> float:
        length = (self.until - self.since) / timedelta(seconds=1) or 1
        share = (at - self.since) / timedelta(seconds=1) / length
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, size_bytes: int) -> float:
        share = size_bytes / (self.most or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def content(self, label: str) -> dict[str, Any]:
        """The picture without lines and dots."""
        marks = [0, self.most // 2, self.most]
        return {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "bottom": HEIGHT - BOTTOM,
            "label": label,
            "sizes": [(self.y(mark), mebibytes(mark)) for mark in marks],
            "since": f"{self.since:%Y-%m-%d %H:%M}",
            "until": f"{self.until:%Y-%m-%d %H:%M} UTC",
        }


def of_instance(instance: ServiceInstance) -> Section:
    """Each of one instance's backups: when, how large by itself, and what became of it.

    Those of which nothing was committed lie on the ground.
    """
    newest = instance.backups.order_by("-created_at")[:MOST_DOTS]
    rows = list(reversed(newest))
    title = "Size of its backups over time"
    if len(rows) < 2:
        return Section(title, TEMPLATE, {"absence": "Two backups make a chart."})
    most = max(row.delta_bytes or 0 for row in rows)
    frame = _Frame(_at(rows[0]), _at(rows[-1]), most)
    sized = [row for row in rows if row.delta_bytes is not None]
    line = [(frame.x(_at(row)), frame.y(row.delta_bytes or 0)) for row in sized]
    label = f"{len(rows)} backups, the largest {mebibytes(most)} of its own"
    content = {
        **frame.content(label),
        "line": _joined(line),
        "dots": [_dot(frame, row) for row in rows],
    }
    return Section(title, TEMPLATE, content)


def of_all() -> Section:
    """What all backups together take, their shared images not counted."""
    now = timezone.now()
    since = now - SHOWN
    title = f"Size of all backups, {SHOWN.days} days"
    rows = Backup.objects.filter(delta_bytes__isnull=False, taken_at__isnull=False)
    there = rows.filter(Q(gone_at__isnull=True) | Q(gone_at__gt=since))
    found: Any = there.order_by().values_list("taken_at", "gone_at", "delta_bytes")
    steps = list(_steps(found, since))
    if not steps:
        return Section(title, TEMPLATE, {"absence": "No backup takes any room yet."})
    levels = _thinned(_levels(steps, since, now))
    frame = _Frame(since, now, max(size for _, size in levels))
    label = f"{mebibytes(levels[-1][1])} now, at most {mebibytes(frame.most)}"
    points = []
    before = frame.y(0)
    for at, size in levels:
        points += [(frame.x(at), before), (frame.x(at), frame.y(size))]
        before = frame.y(size)
    return Section(title, TEMPLATE, {**frame.content(label), "line": _joined(points)})


def _steps(
    found: Iterable[tuple[datetime, datetime | None, int]], since: datetime
) -> Iterable[tuple[datetime, int]]:
    for taken_at, gone_at, size in found:
        yield max(taken_at, since), size
        if gone_at is not None:
            yield gone_at, -size


def _levels(
    steps: Sequence[tuple[datetime, int]], since: datetime, now: datetime
) -> list[tuple[datetime, int]]:
    total, levels = 0, []
    for at, change in sorted(steps):
        total += change
        levels.append((at, max(total, 0)))
    return [*levels, (now, max(total, 0))]


def _thinned(levels: list[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """The last level of each of MOST_DOTS spans: as many as can be told apart."""
    first, last = levels[0][0], levels[-1][0]
    span = (last - first) / MOST_DOTS or SHOWN
    kept = {(at - first) // span: (at, size) for at, size in levels}
    return list(kept.values())


def _dot(frame: _Frame, row: Backup) -> dict[str, Any]:
    size = mebibytes(row.delta_bytes) if row.delta_bytes is not None else "no image"
    what = f"{row.get_state_display()}, {row.get_trigger_display()}"
    return {
        "x": frame.x(_at(row)),
        "y": frame.y(row.delta_bytes or 0),
        "tone": TONE_OF.get(row.state, "quiet"),
        "title": f"{_at(row):%Y-%m-%d %H:%M}: {what}, {size}",
        "url": change_url(row),
    }


def _at(row: Backup) -> datetime:
    return row.taken_at or row.created_at


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
