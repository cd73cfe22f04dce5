"""Threads that are there when they are needed, and stay for the next job."""

import queue
import threading
from collections.abc import Callable, Hashable

Job = Callable[[], None]


class Crew:
    """Runs each job at once: one that hangs keeps no other from starting.

    Threads are kept because their connections are: to the database, to Docker.
    """

    def __init__(
        self, guard: Callable[[Job], object], *, farewell: Job = lambda: None
    ) -> None:
        """The guard runs a job and lets nothing out of it; farewell ends a thread."""
        self._guard, self._farewell = guard, farewell
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._busy: set[Hashable] = set()
        self.threads: list[threading.Thread] = []

    def do(self, job: Job) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._work, daemon=True)
            self.threads.append(thread)
            thread.start()

    def do_alone(self, key: Hashable, job: Job) -> bool:
        """Do it unless one with this key is still at work; whether it is begun."""
        with self._lock:
            if key in self._busy:
                return False
            self._busy.add(key)

        def marked() -> None:
            try:
                job()
            finally:
                with self._lock:
                    self._busy.discard(key)

        self.do(marked)
        return True

    def is_busy(self, key: Hashable) -> bool:
        return key in self._busy

    def dismiss(self) -> None:
        """Let the threads end after what they do now."""
        for _ in self.threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._guard(job)
            self._idle.release()
        self._farewell()


class Lanes:
    """How many operations of each host this process has in hand.

    What has no host yet has a lane of its own. A host that hangs fills its lane, and
    nobody else's (FAILURES I13).
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._taken: dict[str, int | None] = {}
        """Owner to the host's key."""

    def full(self) -> set[int | None]:
        with self._lock:
            keys = list(self._taken.values())
        return {key for key in keys if keys.count(key) >= self._width}

    def enter(self, owner: str, host: int | None) -> None:
        with self._lock:
            self._taken[owner] = host

    def leave(self, owner: str) -> None:
        with self._lock:
            self._taken.pop(owner, None)

    def owners(self) -> list[str]:
        """Those that hold an operation now."""
        with self._lock:
            return list(self._taken)
