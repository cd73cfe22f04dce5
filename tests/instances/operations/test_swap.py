"""Another image for an instance that exists: its data, port and users stay."""

from typing import Any

from instances import errors
from instances.models import Container, Operation, PortLease, ServiceInstance
from instances.operations import update
from instances.operations.reconcile import reconcile
from tests.fakes import (
    OFFERING_ID,
    Crash,
    Refused,
    check_invariants,
    claim,
    drain,
    make_plan,
)
from tests.instances.base import ACTOR, DomainTestCase
from tests.instances.crashing import CrashTestCase

NEW = "brokersite/mariadb:10.12"


class Upgrades(DomainTestCase):
    """An instance with a binding that has written one row; its plan has moved on."""

    def setUp(self) -> None:
        super().setUp()
        self.world.machine.images.add(NEW)

    def outdated(self, guid: str = "i-1") -> ServiceInstance:
        self.plan.image, self.plan.maintenance_version = self.old_image, "1.0.0"
        self.plan.save()
        instance = self.provisioned(guid)
        self.binding = self.bound(instance)
        self.log_in(self.binding).write(instance.database)
        self.plan.image, self.plan.maintenance_version = NEW, "2.0.0"
        self.plan.save()
        return instance

    @property
    def old_image(self) -> str:
        return "brokersite/mariadb:10.11.2"

    def accept_upgrade(self, instance: ServiceInstance, **changes: Any) -> Operation:
        fields = {
            "guid": instance.guid,
            "offering_id": OFFERING_ID,
            "plan_id": "",
            "wanted": {},
            "context": {},
            "maintenance_version": "2.0.0",
            "actor": ACTOR,
        }
        _, operation = update.accept(**{**fields, **changes})
        return operation

    def upgraded(self, instance: ServiceInstance, **changes: Any) -> Operation:
        operation = self.accept_upgrade(instance, **changes)
        drain()
        reconcile(self.host)
        operation.refresh_from_db()
        instance.refresh_from_db()
        return operation

    def assert_as_before(self, instance: ServiceInstance, container: Container) -> None:
        instance.refresh_from_db()
        assert instance.container == container
        assert instance.maintenance_version == "1.0.0"
        assert self.world.container_of(instance).restarts
        assert self.log_in(self.binding).count(instance.database) == 1
        assert self.world.users_of(instance) == [self.binding.username]
        check_invariants(self.world)


class UpgradeTest(Upgrades):
    def test_data_port_and_credentials_stay(self):
        """OSB-CHECKLIST 62, 102."""
        instance = self.outdated()
        port = instance.container.port
        operation = self.upgraded(instance)
        assert operation.state == "succeeded", operation.detail
        assert (instance.container.image, instance.container.port) == (NEW, port)
        assert instance.maintenance_version == "2.0.0"
        assert self.log_in(self.binding).count(instance.database) == 1
        assert self.world.users_of(instance) == [self.binding.username]
        check_invariants(self.world)

    def test_limits_and_parameters_come_along(self):
        instance = self.outdated()
        self.plan.memory_mb = 512
        self.plan.save()
        self.upgraded(instance, wanted={"max_connections": 30})
        assert self.world.container_of(instance).spec.memory_mb == 512
        assert self.world.engine.parameters[instance.database] == {
            "max_connections": 30
        }

    def test_a_plan_of_another_image_is_changed_to_in_the_same_way(self):
        instance = self.outdated()
        other = make_plan("other", image=NEW, maintenance_version="7.0.0")
        self.upgraded(instance, plan_id="other", maintenance_version="")
        assert instance.plan == other and instance.maintenance_version == "7.0.0"
        assert self.log_in(self.binding).count(instance.database) == 1

    def test_without_the_wish_an_update_leaves_the_image_alone(self):
        """CLOUD-CONTROLLER 8: a rename is no upgrade."""
        instance = self.outdated()
        assert self.accept_upgrade(instance, maintenance_version="") is None

    def test_the_operator_may_ask_whatever_the_version_says(self):
        instance = self.outdated()
        self.upgraded(instance, maintenance_version="", as_planned=True)
        assert instance.container.image == NEW
        assert instance.maintenance_version == "2.0.0"

    def test_who_would_wait_for_it_is_told_not_to(self):
        """OSB-CHECKLIST 36, 105."""
        instance = self.outdated()
        with self.assertRaises(errors.AsyncRequired):
            self.accept_upgrade(instance, owner="web")
        assert not Operation.objects.unfinished().exists()

    def test_the_old_container_does_not_count_as_used_memory_meanwhile(self):
        instance = self.outdated()
        self.host.memory_mb = instance.container.memory_mb
        self.host.save()
        assert self.upgraded(instance).state == "succeeded"


class FailureTest(Upgrades):
    """Whatever fails puts the old container back, with its data and users."""

    def failed(self, instance: ServiceInstance) -> str:
        former = instance.container
        operation = self.upgraded(instance)
        assert operation.state == "failed"
        self.assert_as_before(instance, former)
        return operation.detail

    def test_a_missing_image_stops_nothing(self):
        instance = self.outdated()
        self.world.machine.images.discard(NEW)
        before = self.log_in(self.binding)
        assert NEW in self.failed(instance)
        assert "stop" not in self.faults.calls
        assert before.count(instance.database) == 1

    def test_an_image_that_does_not_take_the_data_in(self):
        """I3: an empty database would accept every login of the broker's."""
        instance = self.outdated()
        self.world.machine.deaf_images.add(NEW)
        assert "without the data" in self.failed(instance)

    def test_a_copy_that_cannot_be_taken_keeps_nobody_waiting(self):
        """The old one runs again at once, not when a reconciliation comes by."""
        instance = self.outdated()
        self.world.machine.foreign_images.add(NEW)
        self.accept_upgrade(instance)
        drain()
        self.assert_as_before(instance, instance.container)

    def test_a_server_that_exits_with_this_data(self):
        instance = self.outdated()
        self.world.machine.failing_images[NEW] = 1
        assert "exit code 1" in self.failed(instance)

    def test_a_host_without_room(self):
        instance = self.outdated()
        self.plan.memory_mb = self.host.memory_mb + 1
        self.plan.save()
        assert "lacks" in self.failed(instance)
        assert "stop" not in self.faults.calls

    def test_the_copy_breaks_off_each_time(self):
        instance = self.outdated()
        for _ in range(4):
            self.faults.on("write_archive", errors.HostUnreachable(detail="cut"))
        assert self.failed(instance) == "cut"

    def test_a_copy_that_breaks_off_once_is_made_anew(self):
        instance = self.outdated()
        self.faults.on("write_archive", errors.HostUnreachable(detail="cut"))
        assert self.upgraded(instance).state == "succeeded"
        assert self.log_in(self.binding).count(instance.database) == 1
        check_invariants(self.world)

    def test_the_next_upgrade_of_one_that_has_been_upgraded(self):
        """I2: its container has a former one too; the port is not lost."""
        instance = self.outdated()
        self.upgraded(instance)
        former, port = instance.container, instance.container.port
        self.world.machine.images.add(self.old_image)
        self.world.machine.failing_images[self.old_image] = 1
        self.plan.image, self.plan.maintenance_version = self.old_image, "3.0.0"
        self.plan.save()
        operation = self.upgraded(instance, maintenance_version="3.0.0")
        assert operation.state == "failed"
        assert instance.container == former
        assert Container.objects.get(pk=former.pk).port == port
        assert self.log_in(self.binding).count(instance.database) == 1
        check_invariants(self.world)

    def test_what_was_never_started_is_gone_before_the_next_copy(self):
        """I3: a late attempt could start it still, and apps write into it."""
        instance, there = self.outdated(), []
        self.faults.on("start", errors.HostUnreachable(detail="cut"))
        containers = self.world.containers
        self.faults.on("read_archive", lambda: there.append(len(containers())), nth=2)
        assert self.upgraded(instance).state == "succeeded"
        assert there == [2]

    def test_a_stranger_takes_the_port_meanwhile(self):
        """F79."""
        instance = self.outdated()
        taken = (self.host.publish_address, instance.container.port)
        steal = self.world.machine.strangers.add
        self.faults.on("start", lambda: steal(taken))
        self.accept_upgrade(instance)
        drain()
        self.world.machine.strangers.clear()
        reconcile(self.host)
        assert self.log_in(self.binding).count(instance.database) == 1
        check_invariants(self.world)

    def test_a_deprovision_meanwhile_leaves_nothing(self):
        """F103."""
        for call in ("create", "stop", "write_archive", "start", "drop_user"):
            with self.subTest(call):
                instance = self.outdated(f"i-{call}")
                self.faults.on(call, lambda row=instance: self.accept_deprovision(row))
                self.accept_upgrade(instance)
                drain()
                reconcile(self.host)
                self.assert_nothing_is_left()


class CrashTest(Upgrades, CrashTestCase):
    """F22, F58: an app writes whenever it can; what was acknowledged stays (I3)."""

    def begin(self, guid: str) -> Operation:
        operation = self.accept_upgrade(self.outdated(guid))
        self.written = 1
        return claim(operation)

    def write(self) -> None:
        try:
            self.log_in(self.binding).write(self.binding.instance.database)
            self.written += 1
        except Refused:
            pass

    def crash(self) -> None:
        self.write()
        raise Crash

    def test_every_crash_ends_with_the_new_image_and_all_data(self):
        """F78."""
        for guid in self.crashes(self.begin):
            reconcile(self.host)
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.container.image == NEW
            rows = self.log_in(self.binding).count(instance.database)
            assert rows == self.written
            assert self.world.users_of(instance) == [self.binding.username]
            check_invariants(self.world)
        assert not PortLease.objects.filter(container=None).exists()


class BackupBeforeTest(Upgrades):
    def test_an_upgrade_takes_one_first_if_the_plan_says_so(self):
        """F80."""
        instance = self.outdated()
        operation = self.upgraded(instance)
        backup = operation.backups.get()
        assert (backup.state, backup.trigger) == ("committed", "event")
        assert backup.made_from == self.old_image

    def test_without_one_nothing_is_upgraded(self):
        instance = self.outdated()
        former = instance.container
        for _ in range(4):
            self.faults.on("commit", errors.HostRefused(detail="no space left"))
        assert self.upgraded(instance).state == "failed"
        self.assert_as_before(instance, former)
        assert "stop" not in self.faults.calls
