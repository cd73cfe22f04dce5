"""kill -9 before and after every call of backup, proof, restore and clone.

A minute later a worker with nothing in its memory has gone on: the instance is usable
with its data, its users are its bindings', and nothing is left over (F22, I1, I4, I12).
Backup and restore alone: see test_back_up and test_restore. Real ones: tests/system.
"""

from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from instances.containers import Access
from instances.models import (
    Backup,
    Broker,
    Container,
    Operation,
    PortLease,
    ServiceInstance,
)
from instances.operations import back_up, ghosts, restore
from instances.operations.execution import run
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from tests.fakes import (
    AFTER,
    BEFORE,
    Crash,
    check_invariants,
    claim,
    drain,
    expire_leases,
)
from tests.fakes.faults import Faults
from tests.instances.backups import OPERATOR, BackupTestCase
from tests.instances.base import ACTOR
from tests.instances.crashing import CrashTestCase

WITH_IMAGE = ("committed", "verified")


class AfterACrash(BackupTestCase, CrashTestCase):
    def pass_a_minute(self) -> None:
        """Claims run out, and everything that looks after things has come by."""
        past = timezone.now() - timedelta(minutes=1)
        Backup.objects.filter(claimed_until__isnull=False).update(claimed_until=past)
        Container.objects.filter(state="scratch").update(claimed_until=past)
        drain()
        while prove_next():
            pass
        reconcile(self.host)
        sweep()

    def assert_in_order(self) -> None:
        """No container, image, pause or witness that no row asks for."""
        check_invariants(self.world)
        rows = Backup.objects.filter(state__in=WITH_IMAGE)
        assert self.images() == {row.reference for row in rows}
        assert {c.state for c in self.world.containers()} <= {"running"}
        for instance in ServiceInstance.objects.filter(state="ready"):
            container = self.world.container_of(instance)
            assert set(container.databases) == {instance.database}
            bound = instance.bindings.filter(state="ready")
            names = sorted(row.username for row in bound)
            assert self.world.users_of(instance) == names

    def rows(self, instance: ServiceInstance) -> int:
        session = self.log_in(self.binding)
        try:
            return session.count(instance.database)
        finally:
            session.close()

    def forget(self, guid: str) -> None:
        """It is gone from the rows, and from the world."""
        gone = ServiceInstance.objects.get(guid=guid)
        if gone.container_id is not None:
            name = Container.objects.get(pk=gone.container_id).name
            self.world.machine.containers.pop(name, None)
            PortLease.objects.filter(container=gone.container_id).delete()
            Container.objects.filter(pk=gone.container_id).update(state="gone")
        for backup in gone.backups.all():
            self.world.machine.backups.pop(backup.reference, None)
        gone.backups.update(state="gone", gone_at=timezone.now())
        gone.bindings.update(state="gone", live_key=None)
        ServiceInstance.objects.filter(pk=gone.pk).update(state="gone", live_key=None)

    def begin_restore(self, guid: str) -> Operation:
        """With a backup of now first; since the other one, a row was written."""
        instance = self.filled(guid)
        backup = self.verified(instance)
        self.log_in(self.binding).write(instance.database)
        return claim(restore.accept(backup, actor=ACTOR))


@pytest.mark.timeout(600)
class RestoreTest(AfterACrash):
    def test_one_with_a_backup_of_now_is_done_and_that_is_verified(self):
        """F97, F98, F102."""
        for guid in self.crashes(self.begin_restore):
            self.pass_a_minute()
            instance = ServiceInstance.objects.get_live(guid)
            assert self.rows(instance) == 1
            safety = instance.backups.get(trigger="restore")
            assert safety.state == "verified", safety.problem
            self.assert_in_order()

    def test_one_that_fails_leaves_what_was(self):
        """F102: the way back dies too."""
        self.world.machine.images.add("deaf")
        self.world.machine.deaf_images.add("deaf")

        def begin(guid: str) -> Operation:
            operation = self.begin_restore(guid)
            Container.objects.filter(instance__guid=guid).update(image="deaf")
            return operation

        for guid in self.crashes(begin):
            self.pass_a_minute()
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.operations.get(kind="restore").state == "failed"
            assert self.rows(instance) == 2
            self.assert_in_order()


@pytest.mark.timeout(600)
class CloneTest(AfterACrash):
    def setUp(self) -> None:
        super().setUp()
        self.source = self.filled("i-source")
        self.backup = self.verified(self.source)

    def begin(self, guid: str) -> Operation:
        wish = {"restore_from": {"backup": str(self.backup.pk)}}
        instance = self.accept_provision(guid, parameters=wish)
        return claim(instance.operations.get())

    def test_it_has_the_data_and_none_of_the_users(self):
        """F58, F98, F134."""
        for guid in self.crashes(self.begin):
            self.pass_a_minute()
            clone = ServiceInstance.objects.get_live(guid)
            # Each container has its minute in some.
            for name in ghosts.look(clone.container).ghosts:
                ghosts.drop(clone.container, name)
            ghosts.wipe(clone.container)
            assert clone.state == "ready"
            data = self.world.container_of(clone).databases[clone.database]
            assert data == [self.binding.username], "the row that it wrote"
            assert self.world.users_of(clone) == []
            assert self.rows(self.source) == 1
            self.assert_in_order()


@pytest.mark.timeout(600)
class FinalBackupTest(AfterACrash):
    def begin(self, guid: str) -> Operation:
        type(self.plan).objects.update(final_backup_days=7)
        return claim(self.accept_deprovision(self.filled(guid)))

    def test_the_last_backup_is_there_and_nothing_else(self):
        """F105, F111."""
        for guid in self.crashes(self.begin):
            self.pass_a_minute()
            assert ServiceInstance.objects.find_live(guid) is None
            backup = Backup.objects.get(instance__guid=guid)
            assert backup.state == "verified", backup.problem
            assert self.world.containers() == []
            self.assert_in_order()


class ProofTest(AfterACrash):
    def test_it_is_made_again_and_leaves_nothing(self):
        backup = self.backed_up(self.filled())
        number = self.calls_of(prove_next)
        assert number >= 5
        for place in range(1, number + 1):
            for moment in (BEFORE, AFTER):
                Backup.objects.update(state="committed", claimed_until=None, proofs=0)
                self.faults.on(None, self.crash, nth=place, moment=moment)
                with self.subTest(place, moment=moment):
                    with pytest.raises(Crash):
                        prove_next()
                    self.pass_a_minute()
                    backup.refresh_from_db()
                    assert backup.state == "verified"
                    self.assert_in_order()

    def calls_of(self, act: Callable[[], object]) -> int:
        before = len(self.faults.calls)
        act()
        return len(self.faults.calls) - before


class RetentionTest(AfterACrash):
    def test_a_sweep_that_dies_is_made_again(self):
        """F96: whatever call it was, the same one goes and the others stay."""
        instance = self.filled()
        backups = [self.verified(instance) for _ in range(3)]
        images = dict(self.world.machine.backups)
        type(self.plan).objects.update(backup_keep=2)
        for place in range(1, 3):
            for moment in (BEFORE, AFTER):
                self.world.machine.backups = dict(images)
                Backup.objects.update(state="verified", gone_at=None)
                self.faults.on(None, self.crash, nth=place, moment=moment)
                with self.subTest(place, moment=moment):
                    with pytest.raises(Crash):
                        sweep()
                    self.pass_a_minute()
                    assert self.images() == {row.reference for row in backups[1:]}
                    self.assert_in_order()


class PausedTest(AfterACrash):
    """The worker, or the daemon, dies in the middle of a commit."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.filled()
        self.backup = back_up.accept(self.instance, **OPERATOR)
        self.container = self.world.container_of(self.instance)
        self.faults.on("commit", self.die_in_commit)
        with pytest.raises(Crash):
            run(claim(self.backup.operation))

    def die_in_commit(self) -> None:
        self.container.state = "paused"
        raise Crash

    def test_the_daemon_goes_on_and_its_image_is_taken(self):
        """F89, F133: no second commit, no second image."""

        def finish() -> None:
            unstruck = mock.patch.object(Faults, "strike")
            with unstruck:
                labels = {"brokersite.backup": self.backup.id.hex}
                labels["brokersite.broker"] = str(Broker.this().broker_id)
                host = self.world.connect(Access(self.host.url))
                host.commit(
                    self.container.spec.name, self.backup.reference, labels=labels
                )
            self.container.state = "running"

        expire_leases()
        self.faults.calls.clear()
        self.faults.on("find", finish, nth=3)
        self.pass_a_minute()
        assert self.faults.calls.count("commit") == 0
        self.backup.refresh_from_db()
        assert self.backup.state == "verified", self.backup.problem
        self.assert_in_order()

    def test_the_daemon_has_died_too_and_the_pause_is_ended(self):
        """F90, F91: and the backup is taken anew."""
        expire_leases()
        with mock.patch.object(back_up, "PAUSE_LIMIT_S", -1.0):
            self.faults.calls.clear()
            self.pass_a_minute()
        assert self.faults.calls.count("commit") == 1
        self.backup.refresh_from_db()
        assert self.backup.state == "verified", self.backup.problem
        assert self.rows(self.instance) == 1
        self.assert_in_order()

    def test_nobody_goes_on_and_the_pause_is_ended_all_the_same(self):
        """F90: the operation was cancelled, and reconciliation finds the container."""
        Operation.objects.cancel("it is over")
        self.pass_a_minute()
        self.backup.refresh_from_db()
        assert self.backup.state == "failed"
        container = self.world.container_of(self.instance)
        assert container.state == "running"
        assert self.rows(self.instance) == 1
        assert self.images() == set()
