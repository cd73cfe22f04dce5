"""The watcher: what must hold at every moment, and an end state would hide (I1, I2)."""

import threading
from typing import Any

from tests.chaos.checker import owner
from tests.chaos.evidence import Evidence, Host, gather, name_of
from tests.chaos.history import History
from tests.chaos.lab import Site
from tests.chaos.resources import Resources

PAUSE_S = 1.0


class Watcher:
    """Looks every second while the history is written; use as a context manager."""

    def __init__(
        self, site: Site, history: History, *, pause_s: float = PAUSE_S
    ) -> None:
        self._site, self._history, self._pause_s = site, history, pause_s
        self._ending = threading.Event()
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.looks = 0
        self.resources = Resources(site)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(self._pause_s):
            evidence = self._gathered()
            if evidence is None:
                continue
            self.looks += 1
            self.resources.look()
            for host in evidence.hosts:
                self._look(host, evidence)

    def _gathered(self) -> Evidence | None:
        try:
            return gather(self._site)
        except Exception:
            return None  # a host, or the database, is away: that is the lab's doing

    def _look(self, host: Host, evidence: Evidence) -> None:
        """A container that runs has its port leased, to itself or to its family."""
        rows = {row["id"]: row for row in evidence.rows["containers"]}
        leases = {
            row["number"]: row["container_id"]
            for row in evidence.rows["leases"]
            if row["host_id"] == host.key
        }
        for container in host.containers:
            row = rows.get(name_of(container).removeprefix("brokersite-"))
            if row is None or container["State"] != "running":
                continue
            family = {row["id"], row["succeeds_id"]} - {""}
            family |= {r["id"] for r in rows.values() if r["succeeds_id"] in family}
            for port in container["Ports"]:
                number = port.get("PublicPort")
                if number and leases.get(number) not in family:
                    said = f"{host.name}:{number} of {name_of(container)} is leased"
                    said += f" to {leases.get(number) or 'nobody'}"
                    self._tell(said, owner(row, evidence))

    def _tell(self, sentence: str, about: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._history.violate("wrong_ports", about, sentence)
