"""Faults of the product's own processes, of their clocks, and of its database."""

import random
import threading
import time
from collections.abc import Callable

from tests.chaos.faults import Say
from tests.chaos.lab import LEASE_S, Process, Site

HOUR_S = 3600


class ProcessFaults:
    def __init__(self, site: Site, say: Say) -> None:
        self._site, self._say = site, say
        self._one_trouble = threading.Lock()

    def _with(self, process: Process, act: Callable[[], None], text: str) -> bool:
        with process.busy:
            self._say(f"{process.name}: {text}")
            act()
        return self._say(f"{process.name}: goes on after {text}")

    def kill_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        pause_s = rng.uniform(0.2, 3)
        return self._with(process, lambda: process.restart(pause_s), "SIGKILL")

    def kill_web(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.web)
        pause_s = rng.uniform(0.2, 2)
        return self._with(process, lambda: process.restart(pause_s), "SIGKILL")

    def restart_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        return self._with(process, process.terminate, "SIGTERM")

    def freeze_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        return self._with(process, lambda: process.freeze(LEASE_S + 3), "SIGSTOP")

    def freeze_web(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.web)
        return self._with(process, lambda: process.freeze(LEASE_S + 3), "SIGSTOP")

    def clock(self, rng: random.Random) -> bool:
        """A worker's clock is an hour off (F25); it is killed before and after that."""
        process = rng.choice(self._site.workers)
        off_s, seconds = rng.choice((-HOUR_S, HOUR_S)), rng.uniform(10, 25)

        def go_wrong() -> None:
            process.restart(CHAOS_CLOCK_S=str(off_s))
            time.sleep(seconds)
            process.restart()

        return self._with(process, go_wrong, f"a clock that is {off_s:+d} s off")

    def database(self, rng: random.Random) -> bool:
        is_kill, seconds = rng.random() < 0.5, rng.uniform(4, 10)
        with self._one_trouble:
            self._say("the database: trouble begins")
            text = self._site.database.trouble(seconds, is_kill=is_kill)
        return self._say(f"the database: {text}")
