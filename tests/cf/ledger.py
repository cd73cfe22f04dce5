"""What the platform has asked and been answered, by phase."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Phase:
    name: str
    allowed: int = 0
    """How many requests may fail: 0, but while the broker's database is away."""
    seconds: float = 0.0
    requests: int = 0
    retries: int = 0
    """By the router."""
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Of users: what has not worked for them, whatever the requests' answers were."""
    operations: Counter[str] = field(default_factory=Counter)


class Ledger:
    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str, *, allowed: int = 0) -> Iterator[Phase]:
        """Whatever happens inside is written below this phase."""
        phase = Phase(name, allowed)
        self.phases.append(phase)
        started = time.monotonic()
        print(f"  {name} …", flush=True)
        try:
            yield phase
        finally:
            phase.seconds = time.monotonic() - started

    @property
    def now(self) -> Phase:
        return self.phases[-1]

    def note_request(self, seconds: float, failure: str = "") -> None:
        with self._lock:
            self.now.requests += 1
            self.now.slowest_s = max(self.now.slowest_s, seconds)
            if failure:
                self.now.failures.append(failure)

    def note_complaint(self, said: str, *, since: int) -> None:
        """Of a life that began in the phase of that number."""
        with self._lock:
            during = self.phases[since:]
            worst = next((phase for phase in during if phase.allowed), during[-1])
            worst.complaints.append(said)

    def note_operation(self, kind: str) -> None:
        with self._lock:
            self.now.operations[kind] += 1

    def total(self, kind: str) -> int:
        return sum(phase.operations[kind] for phase in self.phases)
