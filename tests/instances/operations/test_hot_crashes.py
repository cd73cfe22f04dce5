"""kill -9 at every call and commit of a hot backup, by each engine's kind of recipe.

Nothing that the dead process would do on its way out is done. A minute later a worker
with nothing in its memory has gone on, and everything that looks after things has come
by (F22, F89, I1, I4, I6, I12). The real recipes: tests/docker/test_hot_recipes.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.db import connection

from instances.engines import hot
from instances.models import DockerHost, Operation, ServiceInstance
from instances.operations import back_up, hosts, hot_backup
from instances.operations.execution import run
from tests.fakes import AFTER, BEFORE, claim, expire_leases
from tests.fakes.engine import FakeEngine
from tests.fakes.faults import Faults
from tests.fakes.hot import FakeRecipe
from tests.instances.backups import OPERATOR
from tests.instances.operations import test_backup_crashes

COMMIT = "a commit of the rows"
MOMENTS = {COMMIT: [AFTER], "write": [BEFORE]}
WRITES = ("INSERT", "UPDATE", "DELETE", "RELEASE")


class Ended(FakeRecipe):
    """As PostgreSQL's: what it holds goes with its session, however that ends."""

    @contextmanager
    def open(self, endpoint: Any) -> Iterator[Callable[[], Any]]:
        try:
            with super().open(endpoint) as rest:
                yield rest
        finally:
            self.is_open = False

    def close(self, endpoint: Any) -> None:
        """The server has done it."""


RECIPES = {
    "mariadb": ("copy", FakeRecipe),
    "postgres": ("", Ended),
    "redis": ("", FakeRecipe),  # its setting stays until somebody takes it back
}


@contextmanager
def counted_commits(faults: Faults) -> Iterator[None]:
    """What the product commits is a call too.

    A crash before one leaves what a crash after the last call or commit leaves.
    """
    depth = faults._depth

    def execute(run: Any, sql: str, *rest: Any) -> Any:
        answer = run(sql, *rest)
        now = int(connection.in_atomic_block) + len(connection.savepoint_ids)
        if now == depth and sql.startswith(WRITES) and not faults.is_dead:
            faults.calls.append(COMMIT)
            faults.strike(AFTER, COMMIT)
        return answer

    with connection.execute_wrapper(execute):
        yield


class HotCrashTestCase(test_backup_crashes.AfterACrash):
    def setUp(self) -> None:
        super().setUp()
        self.plan.backup_method = "hot"
        self.plan.save()

    def use(self, engine: str) -> None:
        self.engine, (script, kind) = engine, RECIPES[engine]
        self.world.recipe = kind(self.world.engine)
        self.world.recipe.script = script
        recipes = {"mariadb": self.world.recipe}
        self.enterContext(mock.patch.dict(hot.RECIPES, recipes))

    def begin_backup(self, guid: str) -> Operation:
        backup = back_up.accept(self.filled(guid), **OPERATOR)
        DockerHost.objects.update(free_measured_at=None)
        return claim(backup.operation)

    def attempt(self, operation: Operation) -> list[str]:
        """The calls that it has made until it ended, or was killed."""
        before = len(self.faults.calls)
        with self.faults.burial(), counted_commits(self.faults):
            run(operation)
        return self.faults.calls[before:]

    def try_everywhere(self) -> int:
        """Kill at each point in turn; return how many there are."""
        calls = self.attempt(self.begin_backup(f"{self.engine}-rehearsal"))
        self.pass_a_minute()
        self.forget(f"{self.engine}-rehearsal")
        points = [
            (place, moment)
            for place, call in enumerate(calls, start=1)
            for moment in MOMENTS.get(call, [BEFORE, AFTER])
        ]
        for place, moment in points:
            guid = f"{self.engine}-{place}-{moment}"
            operation = self.begin_backup(guid)
            kill_at(self.faults, place, moment)
            self.attempt(operation)
            operation.refresh_from_db()
            is_early = place < len(calls)
            assert not (is_early and operation.is_finished), "it was not killed"
            expire_leases()
            self.pass_a_minute()
            try:
                self.assert_all_is_well(guid)
            except AssertionError as error:
                call = calls[place - 1]
                raise AssertionError(f"{moment} {call} ({place}): {error}") from error
            self.forget(guid)
        return len(points)

    def assert_all_is_well(self, guid: str) -> None:
        instance = ServiceInstance.objects.get_live(guid)
        backup = instance.backups.get()
        assert backup.state == "verified", backup.problem
        assert self.rows(instance) == 1
        assert self.world.container_of(instance).files == {}
        assert not self.world.recipe.is_open
        self.assert_in_order()


def kill_at(faults: Faults, place: int, moment: str) -> None:
    """At the place-th call from now, or when that is over, whichever it is."""
    last, begun = len(faults.calls) + place, []

    def strike(self: Faults, at: str, call: str) -> None:
        original(self, at, call)
        if at == BEFORE:
            begun.append(len(self.calls))
        is_it = len(self.calls) if call == COMMIT else begun[-1]
        if at == AFTER and call != COMMIT:
            begun.pop()
        if (at, is_it) == (moment, last):
            patched.stop()
            self.kill()

    original = Faults.strike
    patched = mock.patch.object(Faults, "strike", strike)
    patched.start()


@pytest.mark.timeout(600)
class HotCrashTest(HotCrashTestCase):
    def test_every_crash_ends_with_a_verified_backup_and_nothing_else(self):
        for engine in RECIPES:
            with self.subTest(engine):
                self.use(engine)
                assert self.try_everywhere() > 30


def nothing(*_: Any, **__: Any) -> None:
    pass


MUTANTS = {
    "what a killed attempt has left open stays so": ("redis", hot_backup, "close"),
    "the witness stays": ("postgres", FakeEngine, "remove_witness"),
    "the throw-away container stays": ("mariadb", hosts, "remove_if_unwanted"),
}


class MutantTest(HotCrashTestCase):
    """The matrix sees what is broken on purpose."""

    def test_each_is_found(self):
        for name, (engine, owner, attribute) in MUTANTS.items():
            with self.subTest(name):
                self.use(engine)
                broken = mock.patch.object(owner, attribute, nothing)
                with broken, pytest.raises(AssertionError):
                    self.try_everywhere()
                mock.patch.stopall()
                self.start_anew()

    def start_anew(self) -> None:
        """As the mutant has left things, the next one would be found at once."""
        for instance in ServiceInstance.objects.exclude(state="gone"):
            self.forget(instance.guid)
        self.world.machine.containers.clear()
        self.world.machine.backups.clear()
        self.faults.clear()
