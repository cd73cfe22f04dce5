"""Faults, at seeded moments of the history: so many, of these kinds, so often."""

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import docker
import requests

from tests.chaos.crowd import Crowd
from tests.chaos.daemon import Daemon
from tests.chaos.evidence import uuid_of
from tests.chaos.history import History, Instance
from tests.chaos.lab import LEASE_S, Process, Site
from tests.chaos.proxy import Action, Rule

WEIGHTS = {
    "rule": 40,
    "kill_worker": 12,
    "kill_web": 8,
    "freeze_worker": 6,
    "freeze_web": 3,
    "restart_worker": 3,
    "freeze_daemon": 4,
    "kill_daemon": 3,
    "remove_by_hand": 5,
    "stop_by_hand": 4,
    "proxy_down": 5,
    "database": 4,
}
ENDPOINTS = [
    ("POST", "/containers/create"),
    ("POST", "/containers/[^/]+/start"),
    ("POST", "/containers/[^/]+/stop"),
    ("POST", "/containers/[^/]+/update"),
    ("DELETE", "/containers/"),
    ("POST", "/commit"),
    ("GET", "/containers/[^/]+/json"),
    ("GET", "/containers/json"),
    ("GET", "/containers/[^/]+/archive"),
    ("PUT", "/containers/[^/]+/archive"),
    ("DELETE", "/images/"),
    ("POST", "/networks/create"),
]
SECONDS = {Action.DELAY: (1, 12), Action.HANG: (5, 35), Action.LATE: (1, 12)}
DOWN_S = 3.0
FROZEN_DAEMON_S = 7.0
SEEN_S = 0.2


class Nemesis:
    """Does its faults while the crowd is at work; end() makes all well again."""

    def __init__(
        self, site: Site, history: History, crowd: Crowd, *, seed: int, faults: int
    ) -> None:
        self._site, self._history, self._crowd = site, history, crowd
        self._rng = random.Random(f"{seed} faults")  # noqa: S311
        self._kinds = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=faults)
        self._ending = threading.Event()
        self._hands: list[threading.Thread] = []
        self._daemons = {id(daemon): threading.Lock() for daemon in site.daemons}
        self._one_trouble = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.done: Counter[str] = Counter()

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

    def _do(self, kind: str, rng: random.Random) -> None:
        try:
            if getattr(self, f"_{kind}")(rng):
                self.done[kind] += 1
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

    # Docker

    def _daemon(self, rng: random.Random) -> Daemon:
        return rng.choice(self._site.daemons)

    def _rule(self, rng: random.Random) -> bool:
        method, path = rng.choice(ENDPOINTS)
        action = rng.choice(list(Action))
        low, high = SECONDS.get(action, (0, 0))
        rule = Rule(action, method, path, rng.choice((1, 1, 2)), rng.uniform(low, high))
        daemon = self._daemon(rng)
        daemon.proxy.arm(rule)
        return self._say(f"{daemon.name}: {rule}")

    def _proxy_down(self, rng: random.Random) -> bool:
        daemon = self._daemon(rng)
        daemon.proxy.go_down(DOWN_S)
        return self._say(f"{daemon.name}: proxy down for {DOWN_S:.0f} s")

    def _freeze_daemon(self, rng: random.Random) -> bool:
        daemon = self._daemon(rng)
        with self._daemons[id(daemon)]:
            self._say(f"{daemon.name}: dockerd SIGSTOP")
            daemon.freeze()
            time.sleep(FROZEN_DAEMON_S)
            daemon.thaw()
        return self._say(f"{daemon.name}: dockerd SIGCONT")

    def _kill_daemon(self, rng: random.Random) -> bool:
        daemon = self._daemon(rng)
        with self._daemons[id(daemon)]:
            self._say(f"{daemon.name}: dockerd SIGKILL")
            daemon.kill_and_start()
        return self._say(f"{daemon.name}: dockerd is back")

    def _by_hand(
        self, rng: random.Random, act: Callable[[Daemon, str], None], text: str
    ) -> Instance | None:
        live = [row for row in self._history.live() if row.is_whole]
        if not live:
            return None
        row = rng.choice(live)
        found = self._container_of(row)
        for daemon in self._site.daemons if found else ():
            with self._daemons[id(daemon)]:
                names = [c["Names"][0] for c in daemon.containers() if c["Names"]]
                if f"/{found}" in names:
                    self._say(f"{daemon.name}: {text} {found}", row.guid)
                    act(daemon, found)
                    return row
        return None

    def _remove_by_hand(self, rng: random.Random) -> bool:
        def remove(daemon: Daemon, name: str) -> None:
            for row in self._history.live():
                if self._container_of(row) == name:
                    row.removed_by_hand = time.time()
            daemon.api.remove_container(name, v=True, force=True)

        return self._by_hand(rng, self._tolerant(remove), "docker rm -f") is not None

    def _stop_by_hand(self, rng: random.Random) -> bool:
        def stop(daemon: Daemon, name: str) -> None:
            daemon.api.stop(name, timeout=5)

        return self._by_hand(rng, self._tolerant(stop), "docker stop") is not None

    def _tolerant(self, act: Callable[[Daemon, str], Any]) -> Any:
        """The broker may be removing it as well."""

        def run(daemon: Daemon, name: str) -> None:
            try:
                act(daemon, name)
            except (docker.errors.APIError, requests.RequestException) as error:
                self._say(f"{daemon.name}: {error}")

        return run

    def _container_of(self, row: Instance) -> str:
        sql = (
            "SELECT container_id FROM instances_serviceinstance"
            f" WHERE guid = '{row.guid}' AND live_key IS NOT NULL"
        )
        try:
            found = self._site.rows(sql)
        except Exception:  # the database is down just now
            return ""
        return f"brokersite-{uuid_of(found[0][0])}" if found and found[0][0] else ""

    # Processes

    def _with(self, process: Process, act: Callable[[], None], text: str) -> bool:
        with process.busy:
            self._say(f"{process.name}: {text}")
            act()
        return self._say(f"{process.name}: goes on after {text}")

    def _kill_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        pause_s = rng.uniform(0.2, 3)
        return self._with(process, lambda: process.restart(pause_s), "SIGKILL")

    def _kill_web(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.web)
        pause_s = rng.uniform(0.2, 2)
        return self._with(process, lambda: process.restart(pause_s), "SIGKILL")

    def _restart_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        return self._with(process, process.terminate, "SIGTERM")

    def _freeze_worker(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.workers)
        return self._with(process, lambda: process.freeze(LEASE_S + 3), "SIGSTOP")

    def _freeze_web(self, rng: random.Random) -> bool:
        process = rng.choice(self._site.web)
        return self._with(process, lambda: process.freeze(LEASE_S + 3), "SIGSTOP")

    def _database(self, rng: random.Random) -> bool:
        is_kill, seconds = rng.random() < 0.5, rng.uniform(4, 10)
        with self._one_trouble:
            self._say("the database: trouble begins")
            text = self._site.database.trouble(seconds, is_kill=is_kill)
        return self._say(f"the database: {text}")
