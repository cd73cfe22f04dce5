"""The hot method: what is copied while apps write, and what is left if that fails."""

import threading
from unittest import mock

from instances import errors
from instances.models import Backup, Container, ServiceInstance
from instances.operations import back_up, hot_backup
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from tests.fakes import AFTER, check_invariants, claim, drain
from tests.instances.backups import OPERATOR, BackupTestCase
from tests.instances.crashing import CrashTestCase

MB = 10**6


class ChoiceTest(BackupTestCase):
    def method(self, *, says: str, size_mb: int | None, wanted: str = "") -> str:
        self.plan.backup_method = says
        size = None if size_mb is None else size_mb * MB
        container = Container(engine="mariadb", disk_bytes=size)
        return hot_backup.choose(self.plan, container, wanted)

    def test_a_plan_that_leaves_it_open_goes_by_the_size(self):
        for size_mb, method in ((None, "paused"), (99, "paused"), (100, "hot")):
            assert self.method(says="auto", size_mb=size_mb) == method

    def test_a_plan_that_says_it_is_obeyed(self):
        for method in ("paused", "hot"):
            for size_mb in (None, 0, 1000):
                assert self.method(says=method, size_mb=size_mb) == method

    def test_who_asks_for_one_gets_it(self):
        for wanted in ("paused", "hot"):
            for says in ("auto", "paused", "hot"):
                assert self.method(says=says, size_mb=0, wanted=wanted) == wanted
        assert self.method(says="paused", size_mb=500, wanted="auto") == "hot"

    def test_an_engine_without_a_recipe_is_paused(self):
        container = Container(engine="generic", disk_bytes=1000 * MB)
        self.plan.backup_method = "hot"
        for wanted in ("", "auto", "paused"):
            assert hot_backup.choose(self.plan, container, wanted) == "paused"
        with self.assertRaisesMessage(errors.BackupRefused, "take a paused one"):
            hot_backup.choose(self.plan, container, "hot")

    def test_every_backup_is_taken_as_the_plan_says(self):
        self.plan.backup_method = "hot"
        self.plan.final_backup_days = 7
        self.plan.save()
        instance = self.filled()
        assert self.verified(instance).method == "hot"
        self.accept_deprovision(instance)
        drain()
        while prove_next():
            pass
        final = instance.backups.get(trigger="deprovision")
        assert (final.method, final.state) == ("hot", "verified")
        sweep()
        assert len(self.images()) == 2
        self.assert_nothing_is_left()


class HotBackups:
    """Facts about both kinds of recipes; a subclass gives script."""

    script: str

    def setUp(self) -> None:
        super().setUp()
        self.recipe = self.world.recipe
        self.recipe.script = self.script
        self.plan.backup_method = "hot"
        self.plan.save()

    def assert_in_order(self, instance: ServiceInstance) -> None:
        assert not self.recipe.is_open
        assert self.log_in(self.binding).count(instance.database) == 1
        names = set(self.world.container_of(instance).databases)
        assert names == {instance.database}, "a witness is left"
        reconcile(self.host)
        check_invariants(self.world)


class TakingTests(HotBackups):
    def failed(self, instance: ServiceInstance) -> Backup:
        backup = self.backed_up(instance)
        assert backup.state == "failed"
        sweep()
        assert self.images() == set()
        self.assert_in_order(instance)
        return backup

    def test_it_is_verified_and_leaves_nothing(self):
        instance = self.filled()
        backup = self.verified(instance)
        assert backup.method == "hot" and backup.held_ms >= 0
        sweep()
        assert self.images() == {backup.reference}
        self.assert_in_order(instance)

    def test_its_writes_are_what_is_measured(self):
        instance, slow = self.filled(), iter([0.2])
        self.recipe.write = lambda: threading.Event().wait(next(slow, 0))
        assert 200 <= self.verified(instance).held_ms < 5000
        self.assert_in_order(instance)

    def test_a_copy_that_holds_writers_for_too_long_is_stopped(self):
        instance, released = self.filled(), threading.Event()
        self.recipe.write = lambda: released.wait(10)
        attend = hot_backup._Copy._attend

        def wait_and_attend(copy, kept):
            try:
                attend(copy, kept)
            finally:
                released.set()

        patched = mock.patch.object(hot_backup._Copy, "_attend", wait_and_attend)
        with patched, mock.patch.object(hot_backup, "LONGEST_HOLD_S", 0.02):
            backup = self.failed(instance)
        assert "has waited for" in backup.problem
        assert backup.operation.attempts == 1, "it would hold them again"

    def test_a_database_that_stops_answering_fails_it(self):
        instance = self.filled()

        def die() -> None:
            raise errors.EngineUnreachable(detail="it is down")

        self.recipe.write = die
        backup = self.failed(instance)
        assert backup.problem == "it is down"

    def test_a_deprovision_meanwhile_leaves_nothing(self):
        """F111."""
        instance = self.filled()
        self.faults.on("write_archive", lambda: self.accept_deprovision(instance))
        self.faults.on("logs", lambda: self.accept_deprovision(instance))
        self.world.machine.copy_code = 1
        back_up.accept(instance, **OPERATOR)
        drain()
        sweep()
        assert self.images() == set()
        self.assert_nothing_is_left()


class CopierTest(TakingTests, BackupTestCase):
    """By a process beside the server's."""

    script = "copy"

    def test_what_copies_reaches_nothing_and_is_of_the_servers_image(self):
        instance, seen = self.filled(), []
        self.faults.on("start", lambda: seen.extend(self.world.containers()))
        self.backed_up(instance)
        server = self.world.container_of(instance)
        (copier,) = [row.spec for row in seen if row.spec.beside]
        assert copier.beside == server.spec.name
        assert copier.image == server.image_id
        assert copier.publish_port is None and not copier.restarts
        assert copier.command == ("copy",)

    def test_a_copy_that_fails_is_tried_again_and_then_told_of(self):
        instance = self.filled()
        self.world.machine.copy_code = 1
        backup = self.failed(instance)
        assert "copied" in backup.problem
        assert backup.operation.attempts == 3


class OpenFilesTest(TakingTests, BackupTestCase):
    """By a commit of the running server's files."""

    script = ""

    def test_without_what_was_written_meanwhile_it_is_refuted(self):
        """The mutant: a plain commit without a pause."""
        instance = self.filled()
        with mock.patch.object(type(self.recipe), "_rest", lambda recipe: []):
            backup = self.backed_up(instance)
        for _ in range(3):
            prove_next()
        backup.refresh_from_db()
        assert backup.state == "failed"

    def test_a_copy_that_was_crossed_is_no_backup(self):
        instance = self.filled()
        self.recipe.is_crossed = True
        backup = self.failed(instance)
        assert "it was crossed" in backup.problem

    def test_a_lost_answer_leaves_no_second_image(self):
        """F36, F89."""
        instance = self.filled()
        for nth in (1, 2):
            with self.subTest(nth):
                lost = errors.HostUnreachable(detail="timed out")
                self.faults.on("commit", lost, nth=nth, moment=AFTER)
                backup = self.verified(instance)
                sweep()
                assert backup.reference in self.images()
                backup.refresh_from_db()
                assert backup.gone_at is None
        assert len(self.images()) == 2
        self.assert_in_order(instance)


class CrashTests(HotBackups):
    def begin(self, guid: str):
        backup = back_up.accept(self.filled(guid), **OPERATOR)
        return claim(backup.operation)

    def test_every_crash_ends_with_a_backup_that_can_be_proved(self):
        """F22, F89, I12."""
        for guid in self.crashes(self.begin):
            instance = ServiceInstance.objects.get_live(guid)
            backup = instance.backups.get()
            assert backup.state == "committed"
            scratch = Container.objects.filter(state="scratch")
            scratch.update(claimed_until=None)
            while prove_next():
                pass
            backup.refresh_from_db()
            assert backup.state == "verified", backup.problem
            self.assert_in_order(instance)


class CopierCrashTest(CrashTests, CrashTestCase, BackupTestCase):
    script = "copy"


class OpenFilesCrashTest(CrashTests, CrashTestCase, BackupTestCase):
    script = ""
