"""A scene: a short history that is written by hand, and ends before the settling."""

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.chaos.client import Client
from tests.chaos.crowd import new_instance
from tests.chaos.daemon import Daemon
from tests.chaos.evidence import name_of, rows
from tests.chaos.history import Bound, History, Instance
from tests.chaos.lab import Site
from tests.chaos.proxy import Action, Rule
from tests.system.site import wait_for

CREATE = ("POST", "/containers/create")
REMOVE = ("DELETE", "/containers/")
COMMIT = ("POST", "/commit")


class Scene:
    def __init__(self, site: Site, history: History, name: str) -> None:
        self.site, self.history = site, history
        self.client = Client(name, site, history)
        self.client.write_limit_s = 1.0
        self._began = [len(daemon.proxy.calls) for daemon in site.daemons]

    def wish(self) -> Instance:
        """An instance that nothing is asked of yet."""
        guid = f"{self.client.name}-{self.history.number()}"
        row = new_instance("redis", guid)
        self.history.instances.append(row)
        return row

    def provisioned(self) -> Instance:
        row = self.wish()
        assert self.client.provision(row), [line.text for line in self.history.lines]
        return row

    def bound(self) -> tuple[Instance, Bound]:
        row = self.provisioned()
        assert self.client.bind(row)
        return row, row.bindings[0]

    def arm(
        self,
        action: Action,
        where: tuple[str, str],
        *,
        times: int = 1,
        seconds: float = 0,
    ) -> None:
        """On each of the hosts."""
        for daemon in self.site.daemons:
            daemon.proxy.arm(Rule(action, *where, times, seconds))

    def wait_for_call(self, action: Action) -> None:
        """Until such a rule has got its call."""

        def is_there() -> bool:
            return any(
                call.action == action
                for daemon, began in zip(self.site.daemons, self._began, strict=True)
                for call in daemon.proxy.calls[began:]
            )

        wait_for(is_there, f"a call that gets {action}")

    def meanwhile(self, act: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        return thread

    def stop_by_hand(self, row: Instance) -> None:
        daemon, name = self._place(row)
        daemon.api.stop(name, timeout=5)

    def _place(self, row: Instance) -> tuple[Daemon, str]:
        found = [r for r in rows(self.site)["instances"] if r["guid"] == row.guid]
        name = f"brokersite-{found[0]['container_id']}"
        for daemon in self.site.daemons:
            if name in map(name_of, daemon.containers()):
                return daemon, name
        raise AssertionError(f"{name} is nowhere")

    def clear(self) -> None:
        for daemon in self.site.daemons:
            daemon.proxy.clear()

    def pause(self, seconds: float) -> None:
        """What is to come late gets its time."""
        time.sleep(seconds)
