"""Backups that a plan asks for at events: bind, update, upgrade, deprovision.

After a bind: see test_retention; before a deprovision: see test_back_up.
"""

import pytest

from instances import errors
from instances.models import Backup, Container, Operation, ServiceInstance
from instances.operations import update
from tests.fakes import OFFERING_ID, WORKER, check_invariants, claim, drain, make_plan
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR
from tests.instances.crashing import CrashTestCase

LARGE = "plan-large"
WANTED = {"max_connections": 30}


class EventTestCase(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.policy(backup_on_update=True)
        make_plan(LARGE, memory_mb=300, backup_on_update=True)

    def policy(self, **fields: object) -> None:
        type(self.plan).objects.update(**fields)

    def accept(self, instance: ServiceInstance, **changes: object) -> Operation | None:
        fields = {
            "offering_id": OFFERING_ID,
            "plan_id": "",
            "wanted": {},
            "context": {},
            "maintenance_version": "",
            "actor": ACTOR,
        }
        return update.accept(guid=instance.guid, **{**fields, **changes})[1]


class UpdateTest(EventTestCase):
    def test_one_is_taken_before_parameters_change(self):
        instance = self.filled()
        self.accept(instance, wanted=WANTED)
        self.faults.calls.clear()
        drain()
        backup = Backup.objects.get()
        assert (backup.state, backup.trigger) == ("committed", "event")
        assert self.faults.calls.index("commit") < self.faults.calls.index(
            "update_database"
        )
        assert self.world.engine.parameters[instance.database] == WANTED

    def test_and_before_another_plan(self):
        self.accept(self.filled(), plan_id=LARGE)
        drain()
        assert Backup.objects.get().memory_mb == self.plan.memory_mb

    def test_a_new_name_needs_none(self):
        context = {"instance_name": "other"}
        assert self.accept(self.filled(), context=context) is None
        assert not Backup.objects.exists()

    def test_a_plan_that_says_nothing_of_it_has_none(self):
        self.policy(backup_on_update=False)
        self.accept(self.filled(), wanted=WANTED)
        drain()
        assert not Backup.objects.exists()

    def test_a_platform_that_cannot_poll_is_told_to(self):
        """OSB 2.17, Asynchronous Operations: it would wait for the backup."""
        instance = self.filled()
        with pytest.raises(errors.AsyncRequired):
            self.accept(instance, wanted=WANTED, owner=WORKER)
        assert not Backup.objects.exists()

    def test_without_the_backup_there_is_no_update(self):
        instance = self.filled()
        for _ in range(4):
            self.faults.on("commit", errors.HostRefused(detail="no space left"))
        operation = self.accept(instance, wanted=WANTED)
        drain()
        operation.refresh_from_db()
        assert (operation.state, operation.detail) == ("failed", "no space left")
        assert Backup.objects.get().state == "failed"
        assert self.world.engine.parameters[instance.database] == {}
        assert self.log_in(self.binding).count(instance.database) == 1

    def test_a_database_that_its_full_disk_has_stopped_gets_more_without(self):
        """Another plan is its way out."""
        instance = self.filled()
        Container.objects.update(disk_state="stopped")
        self.accept(instance, plan_id=LARGE)
        assert not Backup.objects.exists()


class UpgradeTest(EventTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.policy(backup_on_update=False)

    def upgrade(self) -> None:
        instance = self.filled()
        self.world.machine.images.add("brokersite/mariadb:new")
        self.policy(image="brokersite/mariadb:new")
        self.accept(instance, as_planned=True)
        drain()

    def test_one_is_taken_before_the_image_changes(self):
        self.upgrade()
        backup = Backup.objects.get()
        assert (backup.trigger, backup.made_from) == ("event", self.plan.image)

    def test_unless_the_plan_says_no(self):
        self.policy(backup_on_upgrade=False)
        self.upgrade()
        assert not Backup.objects.exists()


class CrashTest(EventTestCase, CrashTestCase):
    def begin(self, guid: str) -> Operation:
        return claim(self.accept(self.filled(guid), plan_id=LARGE, wanted=WANTED))

    def test_every_crash_ends_with_the_update_and_its_backup(self):
        """F22, F89, I4."""
        for guid in self.crashes(self.begin):
            instance = ServiceInstance.objects.get_live(guid)
            assert (instance.plan_id, instance.parameters) == (LARGE, WANTED)
            assert instance.backups.get().state == "committed"
            assert self.log_in(self.binding).count(instance.database) == 1
            assert set(self.world.container_of(instance).databases) == {
                instance.database
            }
            check_invariants(self.world)
