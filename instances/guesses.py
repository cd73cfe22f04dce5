"""Wrong passwords of late: how fast one may guess.

Kept in this process's memory: a few processes allow a few times as many guesses, and
a restart forgets them, which slows a guesser down all the same.
"""

import math
import threading
import time
from collections import OrderedDict, deque

ALLOWED = 10
WINDOW_S = 60.0
REMEMBERED = 10_000


class Guesses:
    """At most ALLOWED wrong passwords from one source in any WINDOW_S seconds."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, source: str) -> int:
        """Whole seconds until the source may try another one; 0: it may now."""
        with self._lock:
            times = self._times.get(source)
            if times is None or len(times) < ALLOWED:
                return 0
            return max(0, math.ceil(times[0] + WINDOW_S - time.monotonic()))

    def note(self, source: str) -> None:
        """Count a wrong password."""
        with self._lock:
            times = self._times.setdefault(source, deque(maxlen=ALLOWED))
            times.append(time.monotonic())
            self._times.move_to_end(source)
            while len(self._times) > REMEMBERED:
                self._times.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._times.clear()


guesses = Guesses()
