"""Backups: taken, proved, kept and removed."""

import pickle
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from instances import errors
from instances.models import Backup, Container, Operation, ServiceInstance
from instances.operations import back_up, waiting
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from instances.operations.work import Work
from tests.fakes import Crash, check_invariants, claim, drain, expire_leases
from tests.instances.backups import OPERATOR, BackupTestCase
from tests.instances.crashing import CrashTestCase


class TakingTest(BackupTestCase):
    def test_it_is_committed_and_then_proved(self):
        """I12."""
        instance = self.filled()
        backup = self.backed_up(instance)
        assert backup.state == "committed"
        assert backup.image_id and backup.delta_bytes > 0 and backup.held_ms >= 0
        assert prove_next()
        backup.refresh_from_db()
        assert backup.state == "verified" and backup.verified_at
        assert backup.inventory["found"]["witness"] == 1
        check_invariants(self.world)

    def test_no_witness_stays_in_the_database(self):
        instance = self.filled()
        self.verified(instance)
        names = set(self.world.container_of(instance).databases)
        assert names == {instance.database}

    def test_the_image_says_whose_it_is_and_no_more(self):
        """F134: a container's labels must not come back with its image."""
        backup = self.backed_up(self.filled())
        labels = self.world.machine.backups[backup.reference].labels
        assert labels["brokersite.backup"] == backup.id.hex
        assert labels["brokersite.container"] == ""

    def test_data_in_a_volume_is_refused_and_named(self):
        """F85: a commit leaves volumes out, silently."""
        instance = self.filled()
        for mount in ("/var/lib/mysql", "/var/lib/mysql/data", "/var/lib/mysql/data/x"):
            self.world.container_of(instance).mounts = (mount,)
            backup = self.backed_up(instance)
            assert backup.state == "failed" and mount in backup.problem
        self.world.container_of(instance).mounts = ("/run", "/var/lib/mysql-files")
        assert self.backed_up(instance).state == "committed"

    def test_an_instance_that_is_busy_is_not_backed_up(self):
        """F11."""
        instance = self.filled()
        back_up.accept(instance, **OPERATOR)
        with self.assertRaises(errors.ConcurrencyError):
            back_up.accept(instance, **OPERATOR)
        assert Backup.objects.count() == 1

    def test_no_bind_reaches_a_database_that_is_being_committed(self):
        """F88, I8: it waits a little, and then the platform tries again."""
        instance = self.filled()
        refused = []

        def bind() -> None:
            with pytest.raises(errors.ConcurrencyError):
                self.accept_bind(instance, "b-2")
            refused.append(True)

        self.faults.on("commit", bind)
        with mock.patch.object(waiting, "PATIENCE_S", 0.0):
            assert self.backed_up(instance).state == "committed"
        assert refused
        self.bound(instance, "b-2")

    def test_a_commit_whose_answer_was_lost_is_found(self):
        """F36, F89: the image is there, and no second one is made."""
        instance = self.filled()
        self.faults.on(
            "commit", errors.HostUnreachable(detail="timed out"), moment="after"
        )
        assert self.backed_up(instance).state == "committed"
        assert self.faults.calls.count("commit") == 1

    def test_a_host_that_is_down_fails_it_and_leaves_nothing(self):
        """F92, I12."""
        instance = self.filled()
        for _ in range(3):
            self.faults.on("commit", errors.HostRefused(detail="no space left"))
        backup = self.backed_up(instance)
        assert backup.state == "failed" and backup.problem == "no space left"
        sweep()
        assert self.images() == set()
        assert self.log_in(self.binding).count(instance.database) == 1
        assert set(self.world.container_of(instance).databases) == {instance.database}

    def test_a_late_attempt_does_not_end_the_pause_of_another_one(self):
        """F24: the commit would get files of different moments."""
        instance = self.filled()
        backup = back_up.accept(instance, **OPERATOR)
        container = self.world.container_of(instance)
        container.state = "paused"
        back_up.clean_up(Work(backup.operation))
        assert container.state == "paused"
        Operation.objects.cancel("")
        back_up.clean_up(Work(backup.operation))
        assert container.state == "running"

    def test_a_deprovision_meanwhile_leaves_no_image(self):
        """F111."""
        instance = self.filled()
        self.faults.on("commit", lambda: self.accept_deprovision(instance))
        back_up.accept(instance, **OPERATOR)
        drain()
        sweep()
        assert self.images() == set()
        assert Backup.objects.get().state == "failed"
        self.assert_nothing_is_left()


class ProofTest(BackupTestCase):
    def refuted(self, backup: Backup) -> Backup:
        for _ in range(3):
            assert prove_next()
        backup.refresh_from_db()
        assert backup.state == "failed" and not prove_next()
        sweep()
        assert self.images() == set()
        return backup

    def test_an_image_without_the_witness_is_no_backup(self):
        backup = self.backed_up(self.filled())
        image = self.world.machine.backups[backup.reference]
        image.data = pickle.dumps(({backup.database: ["a row"]}, {}))
        assert "written last" in self.refuted(backup).problem

    def test_a_server_that_does_not_start_with_it_is_no_backup(self):
        backup = self.backed_up(self.filled())
        self.world.machine.failing_images[backup.reference] = 1
        assert "exit code 1" in self.refuted(backup).problem

    def test_a_proof_is_reachable_by_nobody(self):
        self.backed_up(self.filled())
        specs = []
        self.faults.on("start", lambda: specs.extend(self.world.containers()))
        prove_next()
        (spec,) = [row.spec for row in specs if row.spec.publish_port is None]
        assert not spec.restarts

    def test_a_host_that_is_down_leaves_it_unproved(self):
        backup = self.backed_up(self.filled())
        self.world.machine.is_down = True
        assert prove_next()
        self.world.machine.is_down = False
        backup.refresh_from_db()
        assert backup.state == "committed" and not prove_next(), "before the claim ends"
        Backup.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        prove_next()
        backup.refresh_from_db()
        assert backup.state == "verified"
        reconcile(self.host)
        check_invariants(self.world)


class FinalBackupTest(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plan.final_backup_days = 7
        self.plan.save()

    def test_a_deprovision_leaves_one_that_outlives_the_instance(self):
        instance = self.filled()
        self.accept_deprovision(instance)
        drain()
        instance.refresh_from_db()
        assert instance.state == "gone" and not self.world.containers()
        assert prove_next()
        backup = instance.backups.get()
        assert (backup.state, backup.trigger) == ("verified", "deprovision")
        left = backup.expires_at - timezone.now()
        assert timedelta(days=6) < left < timedelta(days=8)
        sweep()
        assert self.images() == {backup.reference}

    def test_it_goes_when_its_time_is_over(self):
        instance = self.filled()
        self.accept_deprovision(instance)
        drain()
        prove_next()
        Backup.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        sweep()
        assert self.images() == set()

    def test_a_database_that_does_not_answer_is_deleted_without(self):
        """F6, F26: a deletion is not given up."""
        instance = self.filled()
        self.world.engine.is_down = True
        self.accept_deprovision(instance)
        drain()
        instance.refresh_from_db()
        assert instance.state == "gone"
        assert instance.backups.get().state == "failed"

    def test_a_failed_instance_has_none(self):
        self.world.machine.images.clear()
        instance = self.accept_provision()
        drain()
        self.accept_deprovision(instance)
        drain()
        assert not Backup.objects.exists()


class CrashTest(BackupTestCase, CrashTestCase):
    def begin(self, guid: str):
        backup = back_up.accept(self.filled(guid), **OPERATOR)
        return claim(backup.operation)

    def test_every_crash_ends_with_a_backup_that_can_be_proved(self):
        """F22, F89, I12."""
        for guid in self.crashes(self.begin):
            instance = ServiceInstance.objects.get_live(guid)
            backup = instance.backups.get()
            assert backup.state == "committed"
            while prove_next():
                pass
            backup.refresh_from_db()
            assert backup.state == "verified", backup.problem
            assert self.log_in(self.binding).count(instance.database) == 1
            names = set(self.world.container_of(instance).databases)
            assert names == {instance.database}
            check_invariants(self.world)

    def test_a_proof_that_dies_is_made_again_and_leaves_nothing(self):
        backup = self.backed_up(self.filled())
        for call in ("create", "start", "find", "logs", "remove"):
            with self.subTest(call):
                Backup.objects.update(state="committed", claimed_until=None, proofs=0)
                self.faults.on(call, self.crash)
                with self.assertRaises(Crash):
                    prove_next()
                Backup.objects.update(claimed_until=timezone.now() - timedelta(days=1))
                scratch = Container.objects.filter(state="scratch")
                scratch.update(claimed_until=timezone.now() - timedelta(days=1))
                expire_leases()
                prove_next()
                backup.refresh_from_db()
                assert backup.state == "verified"
                reconcile(self.host)
                check_invariants(self.world)
