"""What the clients have asked and been told, and when: what the checker believes."""

import itertools
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.doors import Credentials


class State(StrEnum):
    WISHED = "wished"
    """Asked for, and no answer that says that it is there."""
    LIVE = "live"
    DELETING = "deleting"
    """Its deletion was asked for, and not yet confirmed."""
    DELETED = "deleted"
    UNKNOWN = "unknown"
    """The client has given up."""


@dataclass
class Bound:
    guid: str
    credentials: Credentials = field(default_factory=dict)
    state: State = State.WISHED
    busy: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Marker:
    """A number that an app has written; what was acknowledged has to be there."""

    number: int
    began: float
    ended: float | None = None
    """None: not acknowledged."""


@dataclass
class Backup:
    operation: str
    began: float
    ended: float


@dataclass
class Restore:
    backup: Backup
    began: float
    ended: float = float("inf")
    """When it was certainly over, whether it succeeded or failed."""

    def may_have_lost(self, marker: Marker) -> bool:
        """What was written after the backup, and before the restore had ended."""
        assert marker.ended is not None
        return marker.ended > self.backup.began and marker.began < self.ended


@dataclass
class Instance:
    guid: str
    engine: str
    ids: dict[str, str]
    state: State = State.WISHED
    bindings: list[Bound] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)
    backups: list[Backup] = field(default_factory=list)
    restores: list[Restore] = field(default_factory=list)
    is_updated: bool = False
    removed_by_hand: float | None = None
    """When somebody has removed its container: the data went with it."""
    users: int = 0
    """Clients that are at it."""
    exclusive: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_whole(self) -> bool:
        return self.removed_by_hand is None

    def bound(self) -> list[Bound]:
        return [binding for binding in self.bindings if binding.state == State.LIVE]

    def expected(self) -> set[int]:
        """The numbers that must be there."""
        return {
            marker.number
            for marker in list(self.markers)
            if marker.ended is not None
            and not any(restore.may_have_lost(marker) for restore in self.restores)
        }

    def expected_in(self, backup: Backup) -> set[int]:
        """What must be in that backup: acknowledged before, and not gone by then."""
        before = [row for row in self.restores if row.began < backup.ended]
        return {
            marker.number
            for marker in list(self.markers)
            if marker.ended is not None
            and marker.ended <= backup.began
            and not any(restore.may_have_lost(marker) for restore in before)
        }


@dataclass(frozen=True)
class Line:
    at: float
    who: str
    about: str
    """A service instance's GUID, or empty."""
    text: str


class History:
    def __init__(self) -> None:
        self.instances: list[Instance] = []
        self.lines: list[Line] = []
        self.violations: list[tuple[str, str, str]] = []
        """Kind, GUID, sentence: seen while it happened."""
        self.operations = 0
        self.errors = 0
        """Operations that the user was told have failed, after all tries."""
        self.lock = threading.Lock()
        self._numbers = itertools.count(1)

    def number(self) -> int:
        return next(self._numbers)

    def note(self, who: str, text: str, about: str = "") -> None:
        self.lines.append(Line(time.time(), who, about, text))

    def violate(self, kind: str, about: str, sentence: str) -> None:
        self.note("VIOLATION", f"{kind}: {sentence}", about)
        self.violations.append((kind, about, sentence))

    def live(self) -> list[Instance]:
        return [row for row in self.instances if row.state == State.LIVE]

    def take(self, row: Instance, *, alone: bool = False) -> bool:
        """Be at it; alone: with nobody else, who then cannot come."""
        with self.lock:
            if row.state != State.LIVE or (alone and row.users):
                return False
            if alone:
                row.state = State.DELETING
            row.users += 1
            return True

    def leave(self, row: Instance) -> None:
        with self.lock:
            row.users -= 1
