"""Faults, at seeded moments of the history: so many, of these kinds, so often."""

import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable

from tests.chaos.crowd import Crowd
from tests.chaos.faults.dockers import DockerFaults
from tests.chaos.faults.hands import Hands
from tests.chaos.faults.processes import ProcessFaults
from tests.chaos.history import History
from tests.chaos.lab import Site

SEEN_S = 0.2
Fault = Callable[[random.Random], bool]


class Nemesis:
    """Does its faults while the crowd is at work; end() makes all well again."""

    def __init__(
        self, site: Site, history: History, crowd: Crowd, *, seed: int, faults: int
    ) -> None:
        self._site, self._history, self._crowd = site, history, crowd
        self._rng = random.Random(f"{seed} faults")  # noqa: S311
        self._weights = self._known()
        kinds, weights = list(self._weights), list(self._weights.values())
        self._kinds = self._rng.choices(kinds, weights, k=faults)
        self._ending = threading.Event()
        self._hands: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.done: Counter[str] = Counter()

    def _known(self) -> dict[Fault, int]:
        docker = DockerFaults(self._site, self._say)
        hands = Hands(self._site, self._history, docker.locks, self._say)
        processes = ProcessFaults(self._site, self._say)
        weights: dict[Fault, int] = {
            docker.rule: 40,
            processes.kill_worker: 12,
            processes.kill_web: 8,
            processes.freeze_worker: 6,
            processes.freeze_web: 3,
            processes.restart_worker: 3,
            docker.freeze_daemon: 4,
            docker.kill_daemon: 4,
            docker.foreign_port: 3,
            docker.full_disk: 1,
            hands.remove_by_hand: 5,
            hands.stop_by_hand: 4,
            docker.proxy_down: 5,
            processes.database: 4,
        }
        # With SQLite all processes have the clock of the one machine that there is.
        if self._site.database.name != "sqlite":
            weights[processes.clock] = 3
        return weights

    def start(self, operations: int) -> None:
        moments = [self._rng.uniform(0.02, 0.95) * operations for _ in self._kinds]
        self._due = sorted(moments)
        self._thread.start()

    def end(self) -> None:
        """No more faults; those under way come to their own end."""
        self._ending.set()
        self._thread.join()
        for hand in self._hands:
            hand.join()
        for daemon in self._site.daemons:
            daemon.proxy.clear()
        self._revive()

    def _work(self) -> None:
        for at, kind in zip(self._due, self._kinds, strict=True):
            while self._crowd.begun < at and not self._ending.wait(SEEN_S):
                self._revive()
            if self._ending.is_set():
                return
            rng = random.Random(self._rng.random())  # noqa: S311
            hand = threading.Thread(target=self._do, args=(kind, rng), daemon=True)
            self._hands.append(hand)
            hand.start()

    def _do(self, fault: Fault, rng: random.Random) -> None:
        try:
            if fault(rng):
                self.done[fault.__name__] += 1
        except Exception:
            self._history.violate("harness", "", traceback.format_exc())

    def _say(self, text: str, about: str = "") -> bool:
        self._history.note("nemesis", text, about)
        return True

    def _revive(self) -> None:
        """As whatever runs the processes does with one that has ended itself."""
        for process in self._site.processes:
            if process.has_died and process.busy.acquire(blocking=False):
                try:
                    self._say(f"{process.name} has ended, and is started")
                    process.start()
                finally:
                    process.busy.release()
