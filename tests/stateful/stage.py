"""The broker and its world, set up and taken down without a test's own machinery."""

import logging
import time
from contextlib import ExitStack
from typing import Any
from unittest import mock

from django.db import transaction
from django.db.models.functions import Now

from instances import errors
from instances.models import (
    Backup,
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
)
from instances.operations import ghosts, hosts
from instances.operations.execution import run
from instances.operations.expire import expire_overdue
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from instances.operations.standby import Standbys
from tests.fakes import WORKER, Refused, make_plan
from tests.osbapi.base import Platform
from tests.stateful.passing import no_waiting, pass_time

LARGE = "plan-large"
ROUNDS = 2
MOST_ATTEMPTS = 20


class Bugs(logging.Handler):
    """Whatever the product itself takes for a bug."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(logging.Formatter().format(record))


class _Stack:
    """What a TestCase gives its setUp."""

    def setUp(self) -> None:
        pass

    def enterContext(self, manager: Any) -> Any:  # noqa: N802
        return self.stack.enter_context(manager)


class Stage(Platform, _Stack):
    """Everything happens in a transaction that is undone in the end."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.stack.callback(transaction.set_rollback, True)
        self.setUp()
        self.large = make_plan(LARGE, memory_mb=512)
        type(self.plan).objects.update(final_backup_days=0)
        self.stack.enter_context(no_waiting())
        # Each pass, and not one of sixty.
        due = mock.patch.object(ghosts, "is_due", lambda *_: True)
        self.stack.enter_context(due)
        self.bugs = Bugs()
        for name in ("instances", "osbapi"):
            logging.getLogger(name).addHandler(self.bugs)
            self.stack.callback(logging.getLogger(name).removeHandler, self.bugs)
        logging.disable(logging.WARNING)
        self.stack.callback(logging.disable, logging.NOTSET)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """As the router passes it on: its clock is a second ahead, which is more than
        a deletion of the same id may be later here."""
        sent = {"X-Request-Start": f"{(time.time() + 1) * 1000:.0f}"}
        headers = {**sent, **(options.pop("headers", None) or {})}
        return super().call(method, path, body, headers=headers, **options)

    def close(self) -> None:
        self.stack.close()

    # What workers do.

    def work(self, worker: str = WORKER) -> Operation | None:
        operation = Operation.objects.claim_next(worker)
        if operation is not None:
            with self.faults.burial():
                run(operation)
        return operation

    def look_after(self) -> None:
        """What a worker's other threads do, once."""
        for chore in (expire_overdue, prove_next, sweep, self._reconcile):
            with self.faults.burial():
                chore()

    def replenish(self) -> None:
        """What a worker does for standbys, until none is missing."""
        standbys = Standbys()
        with self.faults.burial():
            while standbys.replenish():
                pass

    def _reconcile(self) -> None:
        host = DockerHost.objects.get(pk=self.host.pk)
        try:
            reconcile(host)
        except errors.HostUnreachable as error:
            hosts.note_failure(host, error)

    def come_to_rest(self) -> None:
        for _ in range(ROUNDS):
            pass_time(61)
            self._reconcile()
            self._drain()
            self.replenish()
            while prove_next():
                pass
            self._reconcile()
        sweep()

    def _drain(self) -> None:
        """What waits for something that reconciliation does may wait on."""
        for _ in range(MOST_ATTEMPTS):
            Operation.objects.unfinished().update(not_before=Now())
            if self.work() is None:
                return

    # What anybody can see from outside.

    def accepts(self, credentials: dict[str, Any]) -> bool:
        try:
            self._session(credentials).close()
        except Refused:
            return False
        return True

    def write(self, credentials: dict[str, Any]) -> bool:
        try:
            session = self._session(credentials)
            try:
                session.write(credentials["name"])
            finally:
                session.close()
        except Refused:
            return False
        return True

    def count(self, credentials: dict[str, Any]) -> int:
        session = self._session(credentials)
        try:
            return session.count(credentials["name"])
        finally:
            session.close()

    def _session(self, credentials: dict[str, Any]) -> Any:
        return self.world.engine.log_in(
            credentials["host"],
            credentials["port"],
            username=credentials["username"],
            password=credentials["password"],
        )

    def images(self) -> set[str]:
        return set(self.world.machine.listed())

    def wanted_images(self) -> set[str]:
        rows = Backup.objects.filter(state__in=("committed", "verified"))
        return {row.reference for row in rows}

    def container_rows(self) -> dict[str, Container]:
        rows = Container.objects.exclude(state="gone").select_related("host", "lease")
        return {row.name: row for row in rows}

    def live(self, guid: str) -> ServiceInstance:
        return ServiceInstance.objects.get_live(guid)

    def patch(self, guid: str, body: dict[str, Any]) -> Any:
        return self.call("PATCH", self.path(guid, True), body)
