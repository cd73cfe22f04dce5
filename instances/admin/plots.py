"""Plots of samples over time, drawn by the server: SVG with classes, and a table.

No script draws anything, and whoever cannot see the line reads the numbers below it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import NOTHING

WIDTH, HEIGHT = 360, 110
LEFT, RIGHT, TOP, BOTTOM = 62, 8, 8, 20
MOST_POINTS = 180
TABLE_ROWS = 12
Point = tuple[datetime, float]


@dataclass(frozen=True)
class Plot:
    """What a template needs of one: places in the picture and words."""

    title: str
    label: str
    """The whole in a sentence, for those who cannot see the picture."""
    now: str
    lines: tuple[str, ...]
    marks: tuple[tuple[float, str], ...]
    since: str
    until: str
    rows: tuple[tuple[str, str], ...]
    limit_y: float | None = None
    limit: str = ""
    empty: str = ""

    width, height, left, right = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT
    bottom = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Frame:
    """From when to when, and how long a silence breaks the line."""

    since: datetime
    until: datetime
    gap: timedelta

    def x(self, at: datetime) -> float:
        share = (at - self.since) / (self.until - self.since)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def plot(
    title: str,
    points: Iterable[Point],
    frame: Frame,
    text: Callable[[float], str],
    *,
    limit: float | None = None,
    empty: str = "Nothing was measured in this time.",
) -> Plot:
    """The largest of each few minutes; a dashed line where the limit is."""
    found = [point for point in points if frame.since <= point[0] <= frame.until]
    ends = f"{frame.since:%m-%d %H:%M}", f"{frame.until:%m-%d %H:%M} UTC"
    if not found:
        return Plot(title, empty, "", (), (), *ends, (), empty=empty)
    shown = list(_thinned(found, frame))
    most = max(value for _, value in shown)
    top = max(most, limit or 0) or 1

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)

    last = found[-1][1]
    said = f"{title}: {text(last)} last, at most {text(most)}"
    if limit:
        said += f", limited to {text(limit)}"
    return Plot(
        title,
        said,
        text(last),
        tuple(_lines(shown, frame, y)),
        ((y(0), text(0)), (y(top), text(top))),
        *ends,
        tuple(_rows(found, frame, text)),
        limit_y=y(limit) if limit else None,
        limit=text(limit) if limit else "",
    )


def _thinned(points: Sequence[Point], frame: Frame) -> Iterator[Point]:
    """No more than the picture can show: a peak stays one."""
    slot = (frame.until - frame.since) / MOST_POINTS
    best: dict[int, Point] = {}
    for at, value in points:
        number = int((at - frame.since) / slot)
        if number not in best or value > best[number][1]:
            best[number] = at, value
    yield from best.values()


def _lines(
    points: Sequence[Point], frame: Frame, y: Callable[[float], float]
) -> Iterator[str]:
    """A line for each stretch without a gap."""
    # Neighbours that thinning has left may be two of its slots apart.
    gap = max(frame.gap, 2.1 * (frame.until - frame.since) / MOST_POINTS)
    line: list[str] = []
    before: datetime | None = None
    for at, value in points:
        if before is not None and at - before > gap and line:
            yield _line(line)
            line = []
        line.append(f"{frame.x(at)},{y(value)}")
        before = at
    if line:
        yield _line(line)


def _line(places: list[str]) -> str:
    """A lone point is a line too, or it would not be seen."""
    if len(places) > 1:
        return " ".join(places)
    x, _, y = places[0].partition(",")
    return f"{places[0]} {float(x) + 1.5:.1f},{y}"


def _rows(
    points: Sequence[Point], frame: Frame, text: Callable[[float], str]
) -> Iterator[tuple[str, str]]:
    """The largest of each of a few equal parts of the time."""
    part = (frame.until - frame.since) / TABLE_ROWS
    for number in range(TABLE_ROWS):
        begin = frame.since + number * part
        last = number == TABLE_ROWS - 1
        inside = [
            value for at, value in points if begin <= at and (last or at < begin + part)
        ]
        yield f"{begin:%m-%d %H:%M}", text(max(inside)) if inside else NOTHING


def rates(points: Iterable[Point], longest: timedelta) -> Iterator[Point]:
    """By the second, of a number that only grows until its container starts again."""
    before: Point | None = None
    for at, value in points:
        if before is not None and before[0] < at <= before[0] + longest:
            grown = value - before[1]
            # After a start it has grown from nothing, since some time in between.
            if grown >= 0:
                yield at, grown / (at - before[0]).total_seconds()
        before = at, value


def bar(used: float, of: float, words: str, *, near: float = 0.8) -> SafeString:
    """How much of it is used, drawn and said; its colour only repeats that."""
    share = min(max(used / of, 0.0), 1.0) if of else 0.0
    tone = "bad" if share >= 0.95 else "wait" if share >= near else "good"
    return format_html(
        '<span class="bar"><svg viewBox="0 0 100 8" preserveAspectRatio="none" '
        'aria-hidden="true"><rect class="bar-all" width="100" height="8" />'
        '<rect class="bar-{}" width="{}" height="8" /></svg> '
        '<span class="bar-words">{}</span></span>',
        *(tone, f"{share * 100:.1f}", words),
    )
