"""Disk limits: what is measured, what follows from it, and how it ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from instances import errors
from instances.models import AuditEvent, Container, ServiceInstance
from instances.operations import disk, update
from instances.operations.execution import run
from instances.operations.plan_drift import differences, is_behind
from instances.operations.reconcile import reconcile
from tests.fakes import AFTER, BEFORE, OFFERING_ID, Crash, claim, drain, make_plan
from tests.fakes.engine import Refused
from tests.instances.base import ACTOR, DomainTestCase

MIB = 2**20


class DiskTestCase(DomainTestCase):
    WHEN_FULL = "read_only"

    def setUp(self) -> None:
        super().setUp()
        self.plan.disk_mb, self.plan.when_disk_full = 100, self.WHEN_FULL
        self.plan.save()
        self.larger = make_plan("larger", disk_mb=200, when_disk_full=self.WHEN_FULL)
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)
        self.container = self.world.container_of(self.instance)
        self.faults.calls.clear()

    def measure(self, used_mb: float) -> str:
        """A pass that finds this much; what follows from it."""
        self.container.size = int(used_mb * MIB)
        disk.measure(self.host)
        return self.row().disk_state

    def row(self) -> Container:
        return Container.objects.get(instance=self.instance)

    def can_write(self) -> bool:
        try:
            self.log_in(self.binding).write(self.instance.database)
        except Refused:
            return False
        return True

    def accept_update(self, plan_id: str, **wanted: Any) -> Any:
        return update.accept(
            guid=self.instance.guid,
            offering_id=OFFERING_ID,
            plan_id=plan_id,
            wanted=wanted,
            context={},
            maintenance_version="",
            actor=ACTOR,
        )[1]

    def updated(self, plan_id: str) -> str:
        operation = self.accept_update(plan_id)
        drain()
        operation.refresh_from_db()
        return operation.state

    def events(self) -> list[str]:
        rows = AuditEvent.objects.filter(action__startswith="disk").order_by("pk")
        return [row.action for row in rows]


class MeasuringTest(DiskTestCase):
    def test_the_size_and_its_time_are_kept(self):
        before = timezone.now()
        self.measure(40.5)
        row = self.row()
        assert (row.disk_bytes, row.disk_used_mb) == (int(40.5 * MIB), 41)
        assert row.disk_measured_at >= before

    def test_from_80_percent_on_it_warns_and_nothing_else(self):
        assert self.measure(79.9) == "fine"
        with self.assertLogs("instances.operations.disk", "WARNING") as logged:
            assert self.measure(80) == "warning"
        assert "80 MiB of 100" in logged.output[0]
        assert self.can_write()
        assert self.measure(79) == "fine"
        assert self.events() == ["disk nearly full", "disk fine"]

    def test_a_container_without_limit_is_only_measured(self):
        Container.objects.update(disk_mb=None)
        assert self.measure(10_000) == "fine"
        assert self.faults.calls == ["sizes"]
        assert self.can_write()

    def test_a_dead_host_is_told(self):
        self.world.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            self.measure(1)

    def test_what_a_container_is_held_to_is_the_plans_when_it_got_it(self):
        self.plan.disk_mb = 10
        self.plan.save()
        assert self.measure(50) == "fine"
        instance = ServiceInstance.objects.filter(is_behind()).get()
        assert differences(instance) == [("disk (MiB)", 100, 10)]
        self.plan.disk_mb = None
        self.plan.save()
        instance.refresh_from_db()
        assert differences(instance) == [("disk (MiB)", 100, "no limit")]
        Container.objects.update(disk_mb=None)
        assert not ServiceInstance.objects.filter(is_behind()).exists()

    def test_what_an_operation_has_in_hand_is_left_alone(self):
        self.accept_update("larger")
        assert self.measure(100) == "fine"
        assert self.row().disk_bytes == 100 * MIB


class ReadOnlyTest(DiskTestCase):
    def test_a_full_database_is_read_and_not_written(self):
        assert self.measure(99.9) == "warning" and self.can_write()
        assert self.measure(100) == "read_only"
        assert not self.can_write()
        assert self.log_in(self.binding).count(self.instance.database) == 1

    def test_a_second_pass_changes_nothing(self):
        for _ in range(2):
            assert self.measure(100) == "read_only"
        assert self.events() == ["disk full: read-only"]
        assert not self.can_write()

    def test_it_is_let_go_below_95_percent(self):
        self.measure(100)
        assert self.measure(95) == "read_only" and not self.can_write()
        assert self.measure(94.9) == "warning" and self.can_write()

    def test_a_restart_that_forgets_it_is_made_good(self):
        """MariaDB and Redis forget it; I15."""
        self.measure(100)
        self.container.is_read_only = False
        self.measure(100)
        assert not self.can_write()

    def test_binds_and_unbinds_go_on(self):
        self.measure(100)
        other = self.bound(self.instance, "b-2")
        with pytest.raises(Refused):
            self.log_in(other).write(self.instance.database)
        run(self.accept_unbind(self.instance, "b-1"))
        assert self.world.users_of(self.instance) == [other.username]

    def test_one_that_grows_on_is_stopped_and_stays_so(self):
        for used_mb in (130, 149.9):
            assert self.measure(used_mb) == "read_only"
        assert self.measure(150) == "stopped"
        assert self.measure(110) == "stopped"
        assert self.container.state == "exited"

    def test_a_larger_plan_lets_it_go_at_once(self):
        self.measure(110)
        assert self.updated("larger") == "succeeded"
        assert self.row().disk_mb == 200
        assert self.can_write()
        assert self.measure(110) == "fine" and self.can_write()

    def test_a_plan_without_limit_lets_it_go(self):
        make_plan("endless")
        self.measure(110)
        assert self.updated("endless") == "succeeded"
        assert self.can_write()
        assert self.row().disk_mb is None

    def test_a_plan_that_it_would_fill_is_refused(self):
        """OSB-CHECKLIST 105."""
        self.measure(110)
        make_plan("little", disk_mb=110)
        with pytest.raises(
            errors.UpdateNotSupported, match="limited to 110 MiB of disk"
        ):
            self.accept_update("little")

    def test_an_update_that_fails_leaves_the_former_limit(self):
        """OSB-CHECKLIST 106."""
        self.measure(110)
        self.faults.on("set_read_only", errors.UpdateNotSupported())
        assert self.updated("larger") == "failed"
        assert self.row().disk_mb == 100
        assert self.measure(110) == "read_only" and not self.can_write()

    def test_an_engine_that_is_down_does_not_keep_the_others(self):
        """I13."""
        other = self.provisioned("i-2")
        self.world.container_of(other).size = 100 * MIB
        self.faults.on("set_read_only", errors.EngineUnreachable())
        with self.assertLogs("instances.operations.disk", "WARNING"):
            self.measure(100)
        states = [row.is_read_only for row in self.world.containers()]
        assert sorted(states) == [False, True]
        self.measure(100)
        assert all(row.is_read_only for row in self.world.containers())

    def test_a_crash_at_any_call_is_made_good_by_the_next_pass(self):
        """I15; what was stopped is reconcile's to start."""
        for used_mb, can_write in ((100, False), (50, True), (130, False), (90, True)):
            for moment in (BEFORE, AFTER):
                self.faults.on(None, Crash(), nth=2, moment=moment)
                with pytest.raises(Crash):
                    self.measure(used_mb)
                reconcile(self.host)
                self.measure(used_mb)
                assert self.can_write() is can_write, (used_mb, moment)

    def test_an_update_during_a_pass_wins(self):
        """The pass has decided by a limit that holds no more."""
        self.faults.on("sizes", lambda: self.updated("larger"), moment=AFTER)
        assert self.measure(110) == "fine"
        assert self.can_write()

    def test_a_respite_lets_it_write_until_it_ends(self):
        self.measure(100)
        self.measure(130)
        assert self.container.state == "exited"
        disk.give_respite(self.instance, actor=ACTOR)
        assert self.measure(130) == "warning"
        assert self.container.state == "running" and self.can_write()
        Container.objects.update(respite_until=timezone.now() - timedelta(seconds=1))
        assert self.measure(110) == "read_only"
        assert not self.can_write()


class StopTest(DiskTestCase):
    WHEN_FULL = "stop"

    def test_a_full_database_is_stopped(self):
        assert self.measure(100) == "stopped"
        assert self.container.state == "exited"
        assert self.events() == ["disk full: stopped"]

    def test_reconcile_does_not_start_it_again(self):
        self.measure(100)
        reconcile(self.host)
        assert self.container.state == "exited"

    def test_what_docker_starts_again_is_stopped_again(self):
        """Its restart policy does so when the host was restarted."""
        self.measure(100)
        self.container.state = "running"
        self.measure(100)
        assert self.container.state == "exited"

    def test_a_bind_says_why_it_cannot_be(self):
        self.measure(100)
        with pytest.raises(errors.InvalidRequest, match="disk limit of 100 MiB"):
            self.accept_bind(self.instance, "b-2")

    def test_parameters_cannot_be_changed_and_it_says_why(self):
        self.measure(100)
        with pytest.raises(errors.InvalidRequest, match="disk limit of 100 MiB"):
            self.accept_update("", max_connections=42)

    def test_a_larger_plan_starts_it(self):
        self.measure(100)
        assert self.updated("larger") == "succeeded"
        assert self.container.state == "running"
        assert self.can_write()
        assert self.measure(100) == "fine"

    def test_it_can_be_deleted(self):
        self.measure(100)
        self.accept_deprovision(self.instance)
        drain()
        self.assert_nothing_is_left()

    def test_an_unbind_waits_for_its_start_and_is_done_then(self):
        """F71: the credentials must not come back with it."""
        self.measure(100)
        run(self.accept_unbind(self.instance))
        operation = self.accept_update("larger")
        run(claim(operation))
        drain()
        assert self.world.users_of(self.instance) == []
