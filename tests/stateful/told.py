"""What a platform was told, and all that it knows."""

from dataclasses import dataclass, field
from typing import Any

from tests.fakes import PLAN_ID


@dataclass
class Binding:
    state: str = "unknown"
    """Bound, or unknown: an answer that was lost, or was an error."""
    credentials: dict[str, Any] | None = None


@dataclass
class Change:
    """An update or a restore that has been asked for."""

    operation: str
    rows: tuple[int, int] | None = None
    """How many the backup holds: at least, at most. None: the data stays."""
    plan: str = ""
    """That it is to have; empty: as before."""


@dataclass
class Instance:
    """By one id; as if it had never been when it is gone."""

    state: str = "absent"
    """Absent, unknown, asked, ready, failed, deleting."""
    operation: str = ""
    bindings: dict[str, Binding] = field(default_factory=dict)
    rows: tuple[int, int] = (0, 0)
    """Written and acknowledged: at least, at most so many are there."""
    change: Change | None = None
    is_disturbed: bool = False
    """Something was done to its container; that is made good by the next settling."""
    is_lost: bool = False
    """Somebody has removed its container, and its data with it."""
    plan: str = PLAN_ID
    is_updated: bool = False
    """Whether the first wish may have been another one than the plan of today."""
    incarnation: int = 0
    begun_with: "Kept | None" = None
    """The backup that it was asked to begin with."""
    is_forced: bool = False
    """An operator deletes it, whether or not its host answers."""

    def begin(self, kept: "Kept | None") -> None:
        """It is asked for, with a backup's rows or with none."""
        self.begun_with = kept
        if kept is not None:
            self.rows = (kept.least, kept.least if kept.most is None else kept.most)

    @property
    def is_steady(self) -> bool:
        """Whether its credentials must work now."""
        healthy = not (self.is_disturbed or self.is_lost)
        return self.state == "ready" and self.change is None and healthy

    def bound(self) -> list[Binding]:
        return [row for row in self.bindings.values() if row.state == "bound"]

    def end(self) -> list[dict[str, Any]]:
        """It is gone; return the credentials that must never work again."""
        known = [row.credentials for row in self.bindings.values() if row.credentials]
        self.__init__(  # type: ignore[misc]
            incarnation=self.incarnation + 1, begun_with=self.begun_with
        )
        return known


@dataclass
class Kept:
    """A backup that an operator has asked for."""

    pk: Any
    guid: str
    incarnation: int
    least: int
    most: int | None = None
    """Rows that it holds; not known before it is taken."""
