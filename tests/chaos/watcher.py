"""The watcher: what must hold at every moment, and an end state would hide (I1, I2)."""

import threading
import time
from typing import Any

from tests.chaos.checker import owner
from tests.chaos.evidence import Evidence, gather, name_of, rows
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
            seen = self._gathered()
            if seen is None:
                continue
            self.looks += 1
            self.resources.look()
            # Tables are read one after the other: what was so before and after.
            wrong, later = map(_wrong_ports, seen)
            for said in wrong.keys() & later.keys():
                about, holder = wrong[said]
                self._tell(f"{said} is leased to {holder or 'nobody'}", about)

    def _gathered(self) -> tuple[Evidence, Evidence] | None:
        """What the hosts have, with the rows of before and of after that."""
        try:
            before = gather(self._site)
            return before, Evidence(time.time(), rows(self._site), before.hosts)
        except Exception:
            return None  # a host, or the database, is away: that is the lab's doing

    def _tell(self, sentence: str, about: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._history.violate("wrong_ports", about, sentence)


def _wrong_ports(evidence: Evidence) -> dict[str, tuple[str, str]]:
    """Port and container to the instance, and to whom the port is leased instead."""
    wrong = {}
    keys = {row["id"]: row for row in evidence.rows["containers"]}
    for host in evidence.hosts:
        leases = {
            row["number"]: row["container_id"]
            for row in evidence.rows["leases"]
            if row["host_id"] == host.key
        }
        for container in host.containers:
            row = keys.get(name_of(container).removeprefix("brokersite-"))
            if row is None or container["State"] != "running":
                continue
            if row["state"] == "gone":
                continue  # by the later rows: its whole life fits in between
            # A swap's two may have it in turn.
            family = {row["id"], row["succeeds_id"]} - {""}
            family |= {r["id"] for r in keys.values() if r["succeeds_id"] in family}
            for port in container["Ports"]:
                number = port.get("PublicPort")
                if number and leases.get(number) not in family:
                    said = f"{host.name}:{number} of {name_of(container)}"
                    wrong[said] = owner(row, evidence), leases.get(number, "")
    return wrong
