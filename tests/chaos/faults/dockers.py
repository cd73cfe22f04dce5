"""Faults of Docker Engines, of the lines to them, and of the machines they run on."""

import random
import threading
import time

from tests.chaos.daemon import Daemon
from tests.chaos.faults import Say
from tests.chaos.lab import Site
from tests.chaos.proxy import Action, Rule

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
FROZEN_S = 7.0
NEXT_PORTS = 4
"""So many of those that are leased next are taken by another program."""


class DockerFaults:
    def __init__(self, site: Site, say: Say) -> None:
        self._site, self._say = site, say
        self.locks = {id(daemon): threading.Lock() for daemon in site.daemons}
        """Held by whoever does something to that daemon."""

    def _daemon(self, rng: random.Random) -> Daemon:
        return rng.choice(self._site.daemons)

    def rule(self, rng: random.Random) -> bool:
        method, path = rng.choice(ENDPOINTS)
        action = rng.choice(list(Action))
        low, high = SECONDS.get(action, (0, 0))
        rule = Rule(action, method, path, rng.choice((1, 1, 2)), rng.uniform(low, high))
        daemon = self._daemon(rng)
        daemon.proxy.arm(rule)
        return self._say(f"{daemon.name}: {rule}")

    def proxy_down(self, rng: random.Random) -> bool:
        daemon = self._daemon(rng)
        daemon.proxy.go_down(DOWN_S)
        return self._say(f"{daemon.name}: proxy down for {DOWN_S:.0f} s")

    def freeze_daemon(self, rng: random.Random) -> bool:
        daemon = self._daemon(rng)
        with self.locks[id(daemon)]:
            self._say(f"{daemon.name}: dockerd SIGSTOP")
            daemon.freeze()
            time.sleep(FROZEN_S)
            daemon.thaw()
        return self._say(f"{daemon.name}: dockerd SIGCONT")

    def kill_daemon(self, rng: random.Random) -> bool:
        """One of the two has live-restore: its containers outlive that."""
        daemon = self._daemon(rng)
        with self.locks[id(daemon)]:
            self._say(f"{daemon.name}: dockerd SIGKILL")
            daemon.kill_and_start()
        return self._say(f"{daemon.name}: dockerd is back")

    def foreign_port(self, rng: random.Random) -> bool:
        """Another program is faster: it takes free ports, and leased ones in time."""
        daemon = self._daemon(rng)
        where = f"SELECT id FROM instances_dockerhost WHERE url = '{daemon.proxy.url}'"
        try:
            rows = self._site.rows(
                "SELECT number FROM instances_portlease WHERE container_id IS NOT NULL"
                f" AND host_id IN ({where})"
            )
        except Exception:  # the database is down just now
            return False
        leased = {int(row[0]) for row in rows}
        silent = leased - set(daemon.listening_ports())
        free = [n for n in range(20000, 20200) if n not in leased][:NEXT_PORTS]
        with daemon.occupied(sorted({*silent, *free})) as held:
            self._say(f"{daemon.name}: another program takes {held}")
            time.sleep(rng.uniform(4, 12))
        return self._say(f"{daemon.name}: it gives {held} back")

    def full_disk(self, rng: random.Random) -> bool:
        daemon = next(d for d in self._site.daemons if d.has_disk)
        with daemon.filled():
            self._say(f"{daemon.name}: its disk is full")
            time.sleep(rng.uniform(4, 9))
        return self._say(f"{daemon.name}: its disk has room again")
