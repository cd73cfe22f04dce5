"""Restore in place: the data of then, the bindings of now."""

import pytest

from instances import errors
from instances.models import Backup, Operation, ServiceInstance
from instances.operations import restore
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from tests.fakes import Refused, check_invariants, claim, drain
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR
from tests.instances.crashing import CrashTestCase


class RestoreTestCase(BackupTestCase):
    def restored(self, backup: Backup, *, is_safe: bool = False) -> Operation:
        operation = restore.accept(backup, actor=ACTOR, is_safe=is_safe)
        drain()
        reconcile(self.host)
        operation.refresh_from_db()
        return operation

    def changed_since(self, instance: ServiceInstance) -> Backup:
        """A backup with one row; since then a second one was written."""
        backup = self.verified(instance)
        self.log_in(self.binding).write(instance.database)
        return backup

    def rows(self, instance: ServiceInstance) -> int:
        return self.log_in(self.binding).count(instance.database)


class InPlaceTest(RestoreTestCase):
    def test_the_data_is_that_of_the_backup_and_the_credentials_stay(self):
        instance = self.filled()
        backup = self.changed_since(instance)
        port = instance.container.port
        assert self.rows(instance) == 2
        operation = self.restored(backup)
        assert operation.state == "succeeded", operation.detail
        instance.refresh_from_db()
        assert instance.container.port == port
        assert instance.container.image == self.plan.image, "not the backup's image"
        assert self.rows(instance) == 1
        assert set(self.world.container_of(instance).databases) == {instance.database}
        check_invariants(self.world)

    def test_bindings_made_since_work_and_those_unbound_since_do_not(self):
        """F98, I4, I5."""
        instance = self.filled()
        unbound = self.bound(instance, "b-unbound")
        backup = self.verified(instance)
        self.accept_unbind(instance, "b-unbound", owner="")
        made_since = self.bound(instance, "b-since")
        drain()
        self.restored(backup)
        assert self.log_in(made_since).count(instance.database) == 1
        with pytest.raises(Refused):
            self.log_in(unbound)
        assert self.world.users_of(instance) == sorted(
            [self.binding.username, made_since.username]
        )

    def test_a_safety_backup_comes_first(self):
        instance = self.filled()
        backup = self.changed_since(instance)
        self.restored(backup, is_safe=True)
        assert prove_next()
        safety = Backup.objects.exclude(pk=backup.pk).get()
        assert (safety.state, safety.trigger) == ("verified", "restore")
        assert self.rows(instance) == 1
        self.restored(safety)
        assert self.rows(instance) == 2

    def test_only_a_verified_one_is_restored(self):
        """I12."""
        instance = self.filled()
        backup = self.backed_up(instance)
        for state in ("committed", "failed", "missing", "gone"):
            Backup.objects.update(state=state)
            backup.refresh_from_db()
            with pytest.raises(errors.InvalidRequest, match="verified"):
                restore.accept(backup, actor=ACTOR)
        assert not Operation.objects.unfinished().exists()

    def test_twice_at_once_is_refused(self):
        """F104."""
        backup = self.verified(self.filled())
        restore.accept(backup, actor=ACTOR)
        with pytest.raises(errors.ConcurrencyError):
            restore.accept(backup, actor=ACTOR)

    def test_latest_is_the_last_verified_one(self):
        instance = self.filled()
        self.verified(instance)
        last = self.verified(instance)
        self.backed_up(instance)
        assert restore.find(instance, "latest") == last
        assert restore.find(instance, str(last.pk)) == last
        with pytest.raises(errors.InvalidRequest):
            restore.find(instance, "no such")


class FailureTest(RestoreTestCase):
    """F102: whatever fails, the old container comes back with its data and users."""

    def failed(self, instance: ServiceInstance, backup: Backup) -> str:
        former = instance.container
        operation = self.restored(backup, is_safe=True)
        assert operation.state == "failed"
        instance.refresh_from_db()
        assert instance.container == former
        assert self.rows(instance) == 2
        check_invariants(self.world)
        return operation.detail

    def test_the_image_is_missing(self):
        """F94."""
        instance = self.filled()
        backup = self.changed_since(instance)
        self.world.machine.backups.pop(backup.reference)
        assert backup.reference in self.failed(instance, backup)
        assert "stop" not in self.faults.calls

    def test_the_copy_breaks_off(self):
        instance = self.filled()
        backup = self.changed_since(instance)
        for _ in range(4):
            self.faults.on("write_archive", errors.HostUnreachable(detail="cut"))
        assert self.failed(instance, backup) == "cut"

    def test_the_data_does_not_come_along(self):
        instance = self.filled()
        backup = self.changed_since(instance)
        self.world.machine.deaf_images.add(self.plan.image)
        assert "without the backup's data" in self.failed(instance, backup)

    def test_a_deprovision_meanwhile_leaves_nothing(self):
        """F103."""
        for call in ("create", "write_archive", "stop", "start", "inventory"):
            with self.subTest(call):
                instance = self.filled(f"i-{call}")
                backup = self.verified(instance)
                self.faults.on(call, lambda row=instance: self.accept_deprovision(row))
                self.restored(backup)
                self.assert_nothing_is_left()


class CrashTest(RestoreTestCase, CrashTestCase):
    def begin(self, guid: str) -> Operation:
        instance = self.filled(guid)
        backup = self.changed_since(instance)
        return claim(restore.accept(backup, actor=ACTOR))

    def test_every_crash_ends_with_the_backup_s_data(self):
        """F22, F58, I11."""
        for guid in self.crashes(self.begin):
            reconcile(self.host)
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.operations.filter(state="succeeded", kind="restore")
            assert self.rows(instance) == 1
            assert self.world.users_of(instance) == [self.binding.username]
            check_invariants(self.world)


class LostTest(RestoreTestCase):
    """F49: the way out for a service instance whose container is gone."""

    def test_the_data_of_the_backup_is_there_again(self):
        instance = self.filled()
        backup = self.verified(instance)
        self.world.machine.containers.clear()
        reconcile(self.host)
        instance.container.refresh_from_db()
        assert instance.container.lost_at
        # A backup of now is not to be had, whoever asks for one.
        operation = self.restored(backup, is_safe=True)
        assert operation.state == "succeeded", operation.detail
        instance.refresh_from_db()
        assert instance.container.lost_at is None
        assert self.rows(instance) == 1
        check_invariants(self.world)
