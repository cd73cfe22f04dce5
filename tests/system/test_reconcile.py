"""What the worker does about what was done by hand, while platforms go on."""

import subprocess
import sys
import threading
import time
from typing import Any

import pymysql

from tests.system.site import ROOT, Site, can_log_in, connect, wait_for


class Intruder(threading.Thread):
    """Whoever was unbound tries to log in, again and again."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._credentials = credentials
        self.moments: list[float] = []
        """When it was let in."""
        self.refused = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                connect(self._credentials).close()
                self.moments.append(time.monotonic())
            except pymysql.OperationalError as error:
                self.refused += error.args[0] in (1045, 1698, 4151)
            time.sleep(0.002)

    def window_s(self) -> float:
        return self.moments[-1] - self.moments[0] if self.moments else 0.0


class TestDebts:
    def test_what_was_unbound_while_it_was_stopped_is_out_soon_after_the_start(
        self,
    ) -> None:
        """F71, I5: the worker starts it, and drops the user first."""
        with Site() as site:
            worker = site.start_worker()
            site.provisioned("owing")
            worker.terminate()
            worker.wait()
            credentials = site.bind("owing").body["credentials"]
            kept = site.bind("owing", "kept").body["credentials"]
            (container,) = site.containers()
            site.docker.stop(container["Id"], timeout=10)
            assert site.unbind("owing").status >= 500, "it cannot be revoked yet"
            intruder = Intruder(credentials)
            intruder.start()
            site.execute("UPDATE instances_dockerhost SET reconcile_after = NULL")
            site.start_worker()
            wait_for(lambda: intruder.refused > 20, "the user to be out", limit_s=90)
            intruder.is_over.set()
            intruder.join()
            print(f"let in {len(intruder.moments)} times, {intruder.window_s():.3f} s")
            assert not can_log_in(credentials)
            assert can_log_in(kept)
            wait_for(lambda: not self.owed(site), "the unbind to be done", limit_s=90)
            assert site.unbind("owing").status == 410

    def owed(self, site: Site) -> int:
        sql = "SELECT count(*) FROM instances_operation WHERE kind = 'unbind'"
        number: int = site.rows(f"{sql} AND state IN ('queued', 'running')")[0][0]
        return number


class TestByHand:
    def test_one_removed_by_hand_is_lost_and_the_command_says_so(self) -> None:
        """F49; exit code 1, and a dry run writes nothing."""
        with Site() as site:
            worker = site.start_worker()
            site.provisioned("gone")
            worker.terminate()
            worker.wait()
            (container,) = site.containers()
            site.docker.remove_container(container["Id"], force=True)
            code, told = self.reconcile(site, "--dry-run")
            assert code == 1 and "service instance gone" in told, told
            assert self.lost(site) == 0
            site.execute("UPDATE instances_dockerhost SET reconcile_after = NULL")
            site.start_worker()
            wait_for(lambda: self.lost(site), "the mark")
            assert site.bind("gone").status >= 500

    def reconcile(self, site: Site, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "manage.py", "reconcile", *arguments],
            cwd=ROOT,
            env=site._environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def lost(self, site: Site) -> int:
        sql = "SELECT count(*) FROM instances_container WHERE lost_at IS NOT NULL"
        number: int = site.rows(sql)[0][0]
        return number
