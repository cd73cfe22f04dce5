"""Push, use, scale, deploy under load, lose the database, lose a worker; then count.

FAILURES F22 (worker killed), F28 (SIGTERM), F117 (database down), F122 (deploy).
"""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import docker

from instances.containers import BROKER_LABEL
from tests.cf import audit, browser, tenant
from tests.cf.backing import Backing
from tests.cf.cell import Cell
from tests.cf.controller import CloudController
from tests.cf.given import ADMIN, BROKER
from tests.cf.ledger import Phase
from tests.cf.load import Kept, Load, ids_of
from tests.cf.release import COLUMN
from tests.cf.report import Report
from tests.cf.router import Router
from tests.cf.space import App
from tests.cf.staging import Droplet

USERS = 3
OUTAGE_ALLOWED = 60
"""Requests that may fail while the broker's database restarts: those then under way,
and what a few impatient users ask meanwhile."""
LEASED_ALLOWED = 12
"""What the database went away under may belong to its web process until the lease of
30 s is over: who asks for it again is told of ConcurrencyError, and asks again."""
RECOVERY_LIMIT_S = 20.0
QUIET_LIMIT_S = 60.0


class Scenario:
    def __init__(
        self,
        client: docker.DockerClient,
        app: App,
        router: Router,
        backing: Backing,
        report: Report,
    ) -> None:
        self.client, self.app, self.router = client, app, router
        self.backing, self.report = backing, report
        self.ledger = report.ledger
        self.controller = CloudController(router, self.ledger, BROKER)
        self.offerings: list[dict[str, Any]] = []
        self.kept: list[Kept] = []
        self.killed = ""

    def run(self, first: Droplet, second: Droplet, migration: str) -> None:
        with ExitStack() as stack:
            stack.callback(self._remove_containers)
            stack.callback(self._tell_crashes)
            stack.callback(self.app.close)
            with self._phase("push of 2 web, 2 worker"):
                self.app.push(first)
            self._look_in_a_browser()
            with self._phase("register"):
                self.offerings = self.controller.catalog()
            self._measure("at rest")
            with self._phase("provision, bind, use, back up"):
                self._use_each_offering()
            writer = tenant.Writer(self._mysql())
            self._under_load(second, migration)
            with self._phase("a worker killed"):
                self._kill_a_worker()
            lost = writer.stop()
            self.report.check(not writer.error, f"an app's session: {writer.error}")
            self.report.check(lost == 0, f"an app lost {lost} rows")
            self._count()

    def _under_load(self, second: Droplet, migration: str) -> None:
        with Load(self.controller, self.offerings, USERS) as load:
            with self._phase("load on 2 web"):
                load.go_on_for(5)
                self._measure("under load")
            with self._phase("scale to 3 web"):
                self.app.scale("web", 3)
                load.go_on_for(3)
            with self._phase("rolling deploy"):
                self.app.roll(second)
                load.go_on_for(3)
            self._is_second_release(migration)
            with self._phase("database restarted", allowed=OUTAGE_ALLOWED):
                self._restart_database()
            with self._phase("load afterwards", allowed=LEASED_ALLOWED):
                load.go_on_for(4)
        for user in load.users:
            self.kept += user.kept
        for phase in self.ledger.phases:
            for said in phase.complaints:
                print(f"  a user, while {phase.name}: {said[:300]}")
                self.report.check(phase.allowed > 0, f"while {phase.name}: {said}")

    @contextmanager
    def _phase(self, name: str, *, allowed: int = 0) -> Iterator[Phase]:
        retries = self.router.counts.retries
        with self.ledger.phase(name, allowed=allowed) as phase:
            yield phase
        phase.retries = self.router.counts.retries - retries
        failed = len(phase.failures)
        self.report.check(failed <= allowed, f"{failed} requests failed while {name}")

    def _look_in_a_browser(self) -> None:
        for fault in browser.faults(self.router, *ADMIN):
            self.report.check(False, fault)
        self.report.checks += 1
        checked = self.app.of("web")[0].run(
            *("python", "manage.py", "check", "--deploy", "--fail-level", "WARNING")
        )
        self.report.check("no issues" in checked, checked)

    def _use_each_offering(self) -> None:
        for offering in self.offerings:
            mine = Kept(str(uuid.uuid4()), ids_of(offering))
            self.controller.create(mine.guid, mine.ids)
            self.kept.append(mine)
            binding = str(uuid.uuid4())
            credentials = self.controller.bind(mine.guid, binding, mine.ids)
            mine.bindings[binding] = credentials
            tenant.use(credentials)
            self._back_up(mine)

    def _back_up(self, mine: Kept) -> None:
        self.controller.update(mine.guid, mine.ids, {"backup": {"note": "cf-test"}})

    def _mysql(self) -> tenant.Credentials:
        return next(
            credentials
            for mine in self.kept
            for credentials in mine.bindings.values()
            if credentials["uri"].startswith("mysql")
        )

    def _is_second_release(self, migration: str) -> None:
        for cell in self.app.cells:
            shown = cell.run("ls", "instances/migrations")
            self.report.check(migration in shown, f"{cell} runs the first release")
        sql = f"SELECT COUNT({COLUMN}) FROM instances_operation"
        self.report.check(
            len(self.backing.rows(sql)) == 1, "the migration is not there"
        )

    def _restart_database(self) -> None:
        self.backing.restart()
        deadline = time.monotonic() + RECOVERY_LIMIT_S
        while self.controller.request("GET", "/v2/catalog").status != 200:
            if time.monotonic() > deadline:
                self.report.check(False, "the site has not recovered by itself")
                return
            time.sleep(0.2)
        # Whoever asks while the last instances find out that their sessions are dead.
        time.sleep(2)

    def _kill_a_worker(self) -> None:
        """Once it has an operation: that goes on when its lease has run out."""
        with ThreadPoolExecutor() as pool:
            backups = [pool.submit(self._back_up, mine) for mine in self.kept]
            operation = self._kill_whoever_works()
        for backup in backups:
            failure = backup.exception()
            self.report.check(failure is None, f"backup: {failure}")
        sql = "SELECT state, attempts FROM instances_operation WHERE id = '{}'"
        ((state, attempts),) = self.backing.rows(sql.format(operation))
        is_taken_over = state == "succeeded" and attempts > 1
        self.report.check(
            is_taken_over, f"the killed worker's operation {state}, {attempts} attempts"
        )

    def _kill_whoever_works(self) -> Any:
        sql = "SELECT id, owner FROM instances_operation WHERE state = 'running'"
        workers = {cell.hostname: cell for cell in self.app.of("worker")}
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for operation, owner in self.backing.rows(sql):
                for hostname, cell in workers.items():
                    if owner.startswith(f"worker-{hostname}-"):
                        self.killed = f"{cell} ended with 137"
                        cell.kill()
                        return operation
        raise AssertionError("no worker has had an operation within 30 s")

    def _measure(self, moment: str) -> None:
        for kind in ("web", "worker"):
            used = [cell.memory_mb() for cell in self.app.of(kind)]
            self.report.memory.setdefault(kind, {})[moment] = used
        self.report.connections = max(self.report.connections, self.backing.sessions())

    def _count(self) -> None:
        """Once nothing is under way any more, compare what was asked with what is."""
        with self._phase("count and delete"):
            web = self.app.of("web")[0]
            found, faults = self._audit(web)
            for fault in faults:
                self.report.check(False, fault)
            self.report.checks += 1
            alive = len(found["workers"])
            self.report.check(alive >= 2, f"{alive} workers are alive")
            for mine in self.kept:
                for binding in mine.bindings:
                    self.controller.unbind(mine.guid, binding, mine.ids)
                self.controller.delete(mine.guid, mine.ids)
            left = audit.rows(web)["instances"]
            self.report.check(not left, f"left after the last delete: {left}")
        self.report.starts_s, self.report.stops_s = self.app.starts_s, self.app.stops_s

    def _audit(self, web: Cell) -> tuple[dict[str, Any], list[str]]:
        """Again while there are faults: backups and standbys may be under way."""
        deadline = time.monotonic() + QUIET_LIMIT_S
        while True:
            found = audit.rows(web)
            faults = audit.faults(self.client, found, self.kept)
            if not faults or time.monotonic() > deadline:
                return found, faults
            time.sleep(2)

    def _tell_crashes(self) -> None:
        for said in self.app.crashes:
            self.report.check(said == self.killed, said)

    def _remove_containers(self) -> None:
        """All that the broker has made, whatever state it is in."""
        try:
            ((broker,),) = self.backing.rows("SELECT broker_id FROM instances_broker")
        except Exception as error:
            print(f"  nothing to remove: {error}")
            return
        label = {"label": f"{BROKER_LABEL}={uuid.UUID(str(broker))}"}
        for container in self.client.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)
        for image in self.client.images.list(filters=label):
            self.client.images.remove(image.id, force=True)
