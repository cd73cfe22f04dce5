"""The same with standby containers: what is left of the wait.

A round begins once all standbys are ready; that wait is no part of it.
"""

import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from typing import Any

import yaml

from bench.floor import Floor
from bench.provision import FLOOR, Timings, table, time_broker
from bench.site import ROOT, Site

STANDBYS = 2
READY_LIMIT_S = 60.0
POLL_S = 0.05


class StandbySite(Site):
    """A site whose rows are looked at from outside: `manage.py shell` is too slow."""

    def keep_standbys(self, plan_id: str) -> None:
        sql = "UPDATE instances_serviceplan SET standby = ? WHERE id = ?"
        self._execute(sql, STANDBYS, plan_id)

    def wait_for_standbys(self) -> None:
        """Until they are ready, and nothing is being started or removed."""
        sql = (
            "SELECT state, count(*) FROM instances_container"
            " WHERE state IN ('starting', 'standby', 'retiring') GROUP BY state"
        )
        deadline = time.monotonic() + READY_LIMIT_S
        while self._execute(sql) != [("standby", STANDBYS)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {STANDBYS} standbys in {READY_LIMIT_S:.0f} s")
            time.sleep(POLL_S)

    def _execute(self, sql: str, *values: Any) -> list[Any]:
        path = self._folder / "brokersite.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
            return connection.execute(sql, values).fetchall()


def measure(*, rounds: int) -> str:
    """Run both kinds in turn; return the table. The first round warms up."""
    offering = yaml.safe_load((ROOT / "catalog.yml").read_text())["offerings"][0]
    plan = offering["plans"][0]
    timings: Timings = defaultdict(list)
    with StandbySite() as site:
        platform = site.platform()
        site.keep_standbys(plan["id"])
        floor = Floor(plan["image"], memory_mb=plan["memory_mb"], pids=plan["pids"])
        for number in range(rounds + 1):
            seen: Timings = timings if number else defaultdict(list)
            site.wait_for_standbys()
            time_broker(platform, offering["id"], plan["id"], seen)
            # A start beside it would make the bare calls look slow.
            site.wait_for_standbys()
            seen[FLOOR].append(floor.measure())
    return f"{STANDBYS} standbys ready: {table(timings, rounds)}"
