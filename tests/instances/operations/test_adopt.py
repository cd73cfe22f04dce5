"""Containers without a row become service instances' again, with their data."""

import pytest

from instances import errors
from instances.models import (
    AuditEvent,
    Container,
    Finding,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import adopt, strangers
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.fakes import AFTER, BEFORE, Crash, claim, drain, expire_leases
from tests.instances.base import ACTOR
from tests.instances.operations.reconcile_base import ReconcileTestCase


class AdoptTestCase(ReconcileTestCase):
    """An instance whose rows are gone, as after a restore of the database (F120)."""

    def setUp(self) -> None:
        super().setUp()
        self.binding = self.bound(self.instance)
        self.log_in(self.binding).write(self.instance.database)
        self.name, self.port = self.container.spec.name, self.row().port
        self.database = self.instance.database

    def forget(self) -> None:
        Operation.objects.all().delete()
        AuditEvent.objects.all().delete()
        ServiceBinding.objects.all().delete()
        ServiceInstance.objects.all().delete()
        PortLease.objects.all().delete()
        Container.objects.update(succeeds=None)
        Container.objects.all().delete()
        self.reconcile()
        assert self.standing() == [("unknown", self.name)]

    def adopt(self, guid: str = "i-1") -> Operation:
        wish = adopt.Wish(guid=guid, plan=self.plan, name="found")
        return adopt.accept(self.host, self.name, wish, actor=ACTOR)

    def rows_written(self) -> int:
        session = self.log_in(self.bound(self.adopted(), "new"))
        return session.count(self.database)

    def adopted(self) -> ServiceInstance:
        return ServiceInstance.objects.get(guid="i-1", state="ready")

    def assert_adopted(self) -> None:
        """The data is there under its port, and nobody of before can log in."""
        instance = self.adopted()
        assert instance.database == self.database
        assert instance.container.port == self.port
        assert self.world.users_of(instance) == []
        assert self.rows_written() == 1
        self.reconcile()
        assert [c.spec.name for c in self.world.containers()] == [
            instance.container.name
        ]
        self.assert_quiet()


class AdoptTest(AdoptTestCase):
    def test_its_data_and_port_are_the_new_instances(self):
        self.forget()
        operation = self.adopt()
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        self.assert_adopted()

    def test_a_crash_before_or_after_any_call_is_gone_on_with(self):
        """F22, I11."""
        for moment in (BEFORE, AFTER):
            for number in range(1, 100):
                if not self.crash_at(number, moment):
                    break
            assert number > 5

    def crash_at(self, number: int, moment: str) -> bool:
        """Whether there was such a call."""
        self.forget()
        operation = claim(self.adopt(f"{moment}-{number}"))
        self.faults.on(None, Crash(), nth=number, moment=moment)
        try:
            run(operation)
            has_crashed = False
        except Crash:
            has_crashed = True
        self.faults.clear()
        expire_leases()
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", (number, moment, operation.detail)
        instance = operation.instance
        assert self.world.container_of(instance).databases[self.database]
        self.reconcile()
        (left,) = self.world.containers()
        self.name = left.spec.name
        return has_crashed

    def test_what_does_not_hold_a_database_is_as_it_was(self):
        """I11: it runs again, is shown, and can be adopted another time."""
        self.forget()
        self.container.databases.clear()
        operation = self.adopt()
        drain()
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert "does not hold" in operation.error
        assert self.world.containers() == [self.container]
        assert self.container.state == "running" and self.container.restarts
        assert ServiceInstance.objects.get().state == "gone"
        self.reconcile()
        assert self.standing() == [("unknown", self.name)]
        self.container.databases[self.database] = ["one"]
        self.adopt()
        drain()
        self.assert_adopted()

    def test_a_port_that_another_has_by_now_stays_there(self):
        """I2."""
        self.forget()
        other = self.accept_provision("i-2")
        drain()
        other.refresh_from_db()
        self.adopt()
        drain()
        ports = {row.number for row in PortLease.objects.exclude(container=None)}
        assert len(ports) == 2
        assert self.adopted().container.port != other.container.port

    def test_a_deletion_overtakes_it(self):
        """I10."""
        self.forget()
        operation = self.adopt()
        instance = operation.instance
        self.faults.on("start", lambda: self.accept_deprovision(instance))
        run(claim(operation))
        drain()
        self.reconcile()
        self.assert_nothing_is_left()

    def test_a_guid_that_is_in_use_is_refused(self):
        self.forget()
        self.provisioned("i-2")
        with pytest.raises(errors.Conflict, match="guid"):
            self.adopt("i-2")
        assert Container.objects.count() == 1

    def test_what_has_gone_or_has_a_row_is_refused(self):
        self.forget()
        self.adopt()
        with pytest.raises(errors.Conflict, match="has a row"):
            self.adopt("i-2")
        self.machine.containers.clear()
        Finding.objects.create(host=self.host, kind="unknown", name="x")
        with pytest.raises(errors.NotFound, match="no container x"):
            adopt.accept(
                self.host, "x", adopt.Wish(guid="i-3", plan=self.plan), actor=ACTOR
            )
        with pytest.raises(errors.NotFound, match="no container y"):
            strangers.find(self.host, "y")

    def test_a_copy_is_refused(self):
        self.put("copy", state="running")
        self.reconcile()
        with pytest.raises(errors.InvalidRequest, match="docker rename"):
            adopt.accept(
                self.host, "copy", adopt.Wish(guid="i", plan=self.plan), actor=ACTOR
            )


class GivenToALostOneTest(AdoptTestCase):
    """The rows know an older container, and that one was upgraded since."""

    def setUp(self) -> None:
        super().setUp()
        stranger = self.container
        row = Container.objects.get()
        older = Container.objects.create(
            host=self.host,
            plan=self.plan,
            engine=row.engine,
            image=row.image,
            memory_mb=row.memory_mb,
            cpus=row.cpus,
            pids=row.pids,
            admin_secret="older",
            state="in_use",
        )
        PortLease.objects.filter(container=row).update(container=older)
        ServiceInstance.objects.update(container=older)
        row.delete()
        self.older = older
        self.reconcile()
        assert {kind for kind, _ in self.standing()} == {"lost", "unknown"}
        self.instance.refresh_from_db()
        assert stranger.state == "running"

    def test_its_bindings_are_let_in_with_their_passwords(self):
        """I3, I4."""
        operation = self.adopt()
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        assert self.log_in(self.binding).count(self.database) == 1
        self.reconcile()
        assert len(self.world.containers()) == 1
        self.older.refresh_from_db()
        assert self.older.state == "gone"
        self.assert_quiet()

    def test_a_failure_leaves_it_lost(self):
        self.container.databases.clear()
        self.adopt()
        drain()
        self.instance.refresh_from_db()
        assert self.instance.container == self.older
        assert self.instance.state == "ready"
        assert self.older.lease.number == self.port
        self.reconcile()
        assert {kind for kind, _ in self.standing()} == {"lost", "unknown"}


class RemoveTest(AdoptTestCase):
    def test_an_operator_removes_it(self):
        self.forget()
        strangers.remove(self.host, self.name, actor=ACTOR)
        assert self.world.containers() == []
        assert AuditEvent.objects.get().action == "remove stranger"
        self.assert_quiet()

    def test_one_that_has_a_row_by_now_stays(self):
        self.forget()
        self.adopt()
        with pytest.raises(errors.NotFound, match="has a row"):
            strangers.remove(self.host, self.name, actor=ACTOR)
        assert self.world.containers() == [self.container]

    def test_an_ordinary_pass_leaves_what_is_adopted_alone(self):
        """F30."""
        self.forget()
        operation = claim(self.adopt())
        for call in ("create", "stop", "start", "read_archive"):
            self.faults.on(call, lambda: reconcile(self.host, is_full=True))
        run(operation)
        drain()
        self.assert_adopted()
