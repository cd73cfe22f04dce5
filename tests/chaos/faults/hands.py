"""Hands on containers: what an operator does with docker, and tells nobody."""

import random
import threading
import time
from collections.abc import Callable, Mapping

import docker
import requests

from tests.chaos.daemon import Daemon
from tests.chaos.evidence import uuid_of
from tests.chaos.faults import Say
from tests.chaos.history import History, Instance
from tests.chaos.lab import Site


class Hands:
    def __init__(
        self,
        site: Site,
        history: History,
        locks: Mapping[int, threading.Lock],
        say: Say,
    ) -> None:
        self._site, self._history, self._say = site, history, say
        self._locks = locks

    def remove_by_hand(self, rng: random.Random) -> bool:
        def remove(daemon: Daemon, name: str) -> None:
            for row in self._history.live():
                if self._container_of(row) == name:
                    row.removed_by_hand = time.time()
            daemon.api.remove_container(name, v=True, force=True)

        return self._by_hand(rng, remove, "docker rm -f")

    def stop_by_hand(self, rng: random.Random) -> bool:
        def stop(daemon: Daemon, name: str) -> None:
            daemon.api.stop(name, timeout=5)

        return self._by_hand(rng, stop, "docker stop")

    def _by_hand(
        self, rng: random.Random, act: Callable[[Daemon, str], None], text: str
    ) -> bool:
        live = [row for row in self._history.live() if row.is_whole]
        if not live:
            return False
        row = rng.choice(live)
        found = self._container_of(row)
        for daemon in self._site.daemons if found else ():
            with self._locks[id(daemon)]:
                names = [c["Names"][0] for c in daemon.containers() if c["Names"]]
                if f"/{found}" in names:
                    self._say(f"{daemon.name}: {text} {found}", row.guid)
                    self._tolerantly(act, daemon, found)
                    return True
        return False

    def _tolerantly(
        self, act: Callable[[Daemon, str], None], daemon: Daemon, name: str
    ) -> None:
        """The broker may be removing it as well."""
        try:
            act(daemon, name)
        except (docker.errors.APIError, requests.RequestException) as error:
            self._say(f"{daemon.name}: {error}")

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
