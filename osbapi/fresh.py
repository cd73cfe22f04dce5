"""What a process has read a moment ago, and need not read again for each request.

Every process reads anew after FRESH_S, so that it sees within a second what another
one has changed: a login that was withdrawn, a plan that was edited.
"""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")
FRESH_S = 1.0
MOST = 64
"""Values that are kept at a time."""


class Fresh(Generic[T]):
    """Values by their keys, each for FRESH_S from the moment at which it was asked for.

    What an outdated reading finds is not kept: forget() counts for the readings too
    that have begun before.
    """

    _all: "list[Fresh]" = []

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._all.append(self)

    def find(self, key: Hashable) -> T | None:
        kept = self._kept.get(key)
        return kept[1] if kept and monotonic() < kept[0] + FRESH_S else None

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """The value, read now if need be. What read() raises is not kept."""
        found = self.find(key)
        if found is not None:
            return found
        kept, asked_at = self._kept, monotonic()
        value = read()
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = asked_at, value
        return value

    @classmethod
    def forget_all(cls) -> None:
        """Have this process read everything anew, now."""
        for fresh in cls._all:
            fresh._kept = {}
