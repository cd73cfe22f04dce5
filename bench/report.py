"""Rows of measured values, and the table that they make."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

HEADINGS = (
    *("measure", "engine", "p50", "p95", "max"),
    *("floor p50", "beside the floor", "aim", "met?"),
)
NOTHING = "-"


@dataclass(frozen=True)
class Aim:
    """What is wanted of the median: as it is, or beside the floor's median."""

    limit: float
    of: str = "p50"
    """p50, ratio (to the floor) or difference (from the floor)"""
    at_least: bool = False

    def is_met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True)
class Row:
    """One measure of one engine: its values, and those of its floor in the same run."""

    measure: str
    engine: str
    values: Sequence[float]
    floor: Sequence[float] = ()
    unit: str = "ms"
    aim: Aim | None = None

    @property
    def figure(self) -> float:
        """What the aim speaks of."""
        of = self.aim.of if self.aim else "p50"
        middle = median(self.values)
        if of == "ratio":
            return middle / median(self.floor)
        if of == "difference":
            return middle - median(self.floor)
        return middle

    def cells(self) -> list[str]:
        shown = [shorten(figure) for figure in self._spread()]
        shown[0] += f" {self.unit}"
        floor = shorten(median(self.floor)) if self.floor else NOTHING
        return [self.measure, self.engine, *shown, floor, self._beside(), *self._met()]

    def _spread(self) -> list[float]:
        # Of a rate the high values are the good ones: only its median is told.
        if self.unit.endswith("/s"):
            return [median(self.values), float("nan"), float("nan")]
        return [median(self.values), percentile(self.values, 95), max(self.values)]

    def _beside(self) -> str:
        if not self.floor:
            return NOTHING
        if self.aim and self.aim.of == "difference":
            return f"{self.figure:+.1f} {self.unit}"
        return f"{median(self.values) / median(self.floor):.2f} x"

    def _met(self) -> tuple[str, str]:
        if self.aim is None:
            return NOTHING, NOTHING
        sign = "≥" if self.aim.at_least else "≤"
        unit = {"ratio": "x", "difference": self.unit}.get(self.aim.of, self.unit)
        plus = "+" if self.aim.of == "difference" else ""
        met = "yes" if self.aim.is_met(self.figure) else "no"
        return f"{sign} {plus}{self.aim.limit:g} {unit}", met


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def percentile(values: Sequence[float], share: int) -> float:
    """The least value that so many percent do not exceed (nearest rank)."""
    rank = ceil(share / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def shorten(figure: float) -> str:
    """With about three digits."""
    if figure != figure:
        return NOTHING
    if figure == 0:
        return "0"
    digits = 0 if figure >= 100 else 1 if figure >= 10 else 2
    return f"{figure:.{digits}f}"
