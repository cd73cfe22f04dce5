"""The worker's watchdog: a thread that hangs must not go unnoticed (FAILURES F29).

Cloud Foundry only sees that the process lives, so a worker that hangs has to end it.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field


class Clock:
    """Seconds in which this process could have worked.

    The time in which it was stopped, or got no processor, does not count: at each
    tick it goes on by two intervals at most. Nobody hangs who was not let run.
    """

    def __init__(
        self, interval_s: float, *, real: Callable[[], float] = time.monotonic
    ) -> None:
        self.now_s = 0.0
        self._longest_s = 2 * interval_s
        self._real = real
        self._ticked_at = real()

    def tick(self) -> None:
        now = self._real()
        self.now_s += min(now - self._ticked_at, self._longest_s)
        self._ticked_at = now


@dataclass
class Pulse:
    """One thread's signs of life."""

    name: str
    limit_s: float
    """It may be silent for so long."""
    clock: Clock
    thread: threading.Thread | None = None
    _beat_at: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)

    def beat(self) -> None:
        """Alive, and free to hang for no longer than the limit."""
        self._until = 0.0
        self._beat_at = self.clock.now_s

    def expect(self, duration_s: float) -> None:
        """It is at something that may take so long, and may be silent meanwhile."""
        self._until = self.clock.now_s + max(0.0, duration_s)

    def show_life(self) -> None:
        self._beat_at = self.clock.now_s

    @property
    def silent_s(self) -> float:
        return self.clock.now_s - max(self._beat_at, self._until)

    @property
    def is_lost(self) -> bool:
        if self.thread is not None and not self.thread.is_alive():
            return True
        return self.silent_s > self.limit_s

    def stack(self) -> str:
        """Where its thread is now."""
        ident = self.thread.ident if self.thread else None
        frame = sys._current_frames().get(ident or 0)
        return "".join(traceback.format_stack(frame)) if frame else "it has ended"


class Watchdog:
    """Look at all pulses, every interval."""

    def __init__(
        self, interval_s: float, *, real: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = Clock(interval_s, real=real)
        self._lock = threading.Lock()
        self._pulses: list[Pulse] = []

    def pulse(self, name: str, limit_s: float) -> Pulse:
        pulse = Pulse(name, limit_s, self._clock)
        pulse.beat()
        with self._lock:
            self._pulses = [*self._pulses, pulse]
        return pulse

    def forget(self, pulse: Pulse) -> None:
        """Its work has ended."""
        with self._lock:
            self._pulses = [row for row in self._pulses if row is not pulse]

    def look(self) -> list[Pulse]:
        """Those that are lost. Belongs into a loop that does nothing else."""
        self._clock.tick()
        return [pulse for pulse in self._pulses if pulse.is_lost]
