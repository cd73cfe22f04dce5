"""A circuit breaker for each host of this process.

A host that does not answer is not asked by everybody: after some failures in a row,
calls fail at once, until one that is let through has been answered (FAILURES F33, I13).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from instances import errors

MOST_FAILURES = 3
PAUSE_S = 5.0
"""From a failure to the next call that is let through."""


class Breaker:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._is_probed = False
        self._reason = ""

    @property
    def is_open(self) -> bool:
        return self._failures >= MOST_FAILURES

    @property
    def refuses(self) -> bool:
        """Whether a call would fail at once."""
        return self.is_open and (self._is_probed or self._clock() < self._retry_at)

    @contextmanager
    def passing(self) -> Iterator[bool]:
        """Let a call through; whether it is a probe. Raise HostUnreachable if not."""
        is_probe = self._enter()
        try:
            yield is_probe
        finally:
            if is_probe:
                self._is_probed = False

    def _enter(self) -> bool:
        with self._lock:
            if not self.is_open:
                return False
            wait_s = self._retry_at - self._clock()
            if self._is_probed or wait_s > 0:
                raise errors.HostUnreachable(
                    detail=f"{self._reason} (not asked again for "
                    f"{max(wait_s, 0):.0f} s, after failures in a row)"
                )
            self._is_probed = True
            return True

    def succeed(self) -> None:
        with self._lock:
            self._failures = 0

    def fail(self, reason: str, *, at_once: bool = False) -> None:
        """Count a failure; at once: it is certain, and worth several."""
        with self._lock:
            self._failures += MOST_FAILURES if at_once else 1
            self._retry_at = self._clock() + PAUSE_S
            self._reason = reason


_breakers: dict[str, Breaker] = {}
_lock = threading.Lock()


def breaker_of(url: str) -> Breaker:
    with _lock:
        return _breakers.setdefault(url, Breaker())
