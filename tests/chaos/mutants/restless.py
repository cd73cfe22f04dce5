"""Each pass sets limits again that are as they should be (I15)."""

from typing import Any

from tests.chaos import quiet
from tests.chaos.finding import Finding
from tests.chaos.history import History
from tests.chaos.lab import Site
from tests.chaos.scene import Scene

CATCHES = ("not_quiet",)
WAIT_S = 0.0


def install() -> None:
    from instances.operations import hosts, reconcile
    from instances.operations.reconcile import observation

    note = observation.note

    def restless(seen: Any) -> None:
        note(seen)
        for row in seen.rows.values():
            if row.state == "in_use":
                seen.docker.limit(hosts.spec(row))

    reconcile.observation.note = restless


def play(scene: Scene) -> None:
    scene.provisioned()


def look(site: Site, history: History) -> list[Finding]:
    return quiet.findings(site, limit_s=1)
