"""Restart, stop and start: what an operator wants of a running database."""

import pytest

from instances import errors
from instances.models import AuditEvent, Container, Kind, Operation, ServiceInstance
from instances.operations import back_up, backup_schedule, disk, run_state, update
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.fakes import OFFERING_ID, check_invariants, claim, drain
from tests.instances.base import ACTOR, DomainTestCase
from tests.instances.crashing import CrashTestCase


class RunStateTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        self.instance = self.provisioned()
        self.server = self.world.container_of(self.instance)

    def ask(self, kind):
        return run_state.accept(self.instance, kind, actor=ACTOR, reason="a test")

    def do(self, kind):
        operation = self.ask(kind)
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        return operation


class Restart(RunStateTestCase):
    def test_users_and_data_stay(self):
        binding = self.bound(self.instance)
        before = self.server.started_at
        self.do(Kind.RESTART)
        assert self.server.started_at > before
        assert self.log_in(binding)
        assert AuditEvent.objects.get(action="restart").changes == {"reason": "a test"}

    def test_second_click_does_nothing_twice(self):
        self.ask(Kind.RESTART)
        with pytest.raises(errors.ConcurrencyError):
            self.ask(Kind.RESTART)
        assert Operation.objects.filter(kind="restart").count() == 1

    def test_one_that_has_crashed_is_started(self):
        self.server.state = "exited"
        self.do(Kind.RESTART)
        assert self.server.state == "running"

    def test_one_without_a_container_says_so(self):
        self.world.machine.containers.clear()
        operation = self.ask(Kind.RESTART)
        drain()
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert "is not there any more" in operation.detail

    def test_one_at_its_disk_limit_is_refused(self):
        Container.objects.update(disk_state="stopped")
        with pytest.raises(errors.InvalidRequest, match="disk limit"):
            self.ask(Kind.RESTART)

    def test_a_cancelled_one_ends_at_its_next_step(self):
        operation = self.ask(Kind.RESTART)
        Operation.objects.filter(pk=operation.pk).update(cancel_asked=True)
        before = self.server.started_at
        drain()
        operation.refresh_from_db()
        assert (operation.state, operation.error) == (
            "failed",
            "An operator has cancelled this.",
        )
        assert self.server.started_at == before


class Stop(RunStateTestCase):
    def setUp(self):
        super().setUp()
        self.binding = self.bound(self.instance)
        self.do(Kind.STOP)
        self.instance.refresh_from_db()

    def test_nothing_but_a_start_brings_it_back(self):
        assert self.server.state == "exited"
        reconcile(self.host)
        disk.measure(self.host)
        assert self.server.state == "exited"
        self.do(Kind.START)
        assert self.server.state == "running"
        assert self.log_in(self.binding)

    def test_reconciliation_starts_it_after_the_start_was_recorded(self):
        """The row says what is wanted, whatever becomes of the operation."""
        self.ask(Kind.START)
        reconcile(self.host)
        assert self.server.state == "running"

    def test_platform_is_told_why_it_cannot_bind(self):
        with pytest.raises(errors.InvalidRequest, match="An operator has stopped"):
            self.accept_bind(self.instance, "b-2")

    def test_no_update_and_no_backup(self):
        with pytest.raises(errors.InvalidRequest, match="An operator has stopped"):
            update.accept(
                guid=self.instance.guid,
                offering_id=OFFERING_ID,
                plan_id="",
                wanted={"max_connections": 30},
                context={},
                maintenance_version="",
                actor=ACTOR,
            )
        with pytest.raises(errors.InvalidRequest, match="An operator has stopped"):
            back_up.accept(self.instance, trigger="operator", actor=ACTOR)

    def test_no_clock_asks_for_its_backup(self):
        type(self.plan).objects.update(backup_on_bind=True)
        backup_schedule.take_due()
        assert not Operation.objects.filter(kind="back_up").exists()

    def test_second_stop_says_that_it_is_stopped(self):
        with pytest.raises(errors.InvalidRequest, match="stopped already"):
            self.ask(Kind.STOP)
        with pytest.raises(errors.InvalidRequest, match="start it instead"):
            self.ask(Kind.RESTART)

    def test_an_unbind_meanwhile_ends_the_user_at_the_start(self):
        """I5, F71: it is never answered as done while the user could come back."""
        operation = self.accept_unbind(self.instance)
        run(operation)
        operation.refresh_from_db()
        assert operation.state == "queued"
        run(claim(self.ask(Kind.START)))
        drain()
        assert self.world.users_of(self.instance) == []

    def test_a_final_backup_wakes_it(self):
        type(self.plan).objects.update(final_backup_days=7)
        self.instance.refresh_from_db()
        self.accept_deprovision(ServiceInstance.objects.get(pk=self.instance.pk))
        drain()
        self.assert_nothing_is_left()
        assert self.instance.backups.get().state == "committed"

    def test_deprovision_removes_it(self):
        self.accept_deprovision(self.instance)
        drain()
        self.assert_nothing_is_left()


class StopFails(RunStateTestCase):
    def test_what_was_not_seen_to_stop_is_to_run(self):
        operation = self.ask(Kind.STOP)
        self.world.machine.is_down = True
        drain()
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert Container.objects.get(instance=self.instance).stopped_at is None

    def test_start_of_one_that_nobody_has_stopped(self):
        with pytest.raises(errors.InvalidRequest, match="No operator"):
            self.ask(Kind.START)


class Crashes(CrashTestCase):
    """F22: kill -9 at every point."""

    def begin(self, kind, guid):
        instance = self.provisioned(guid)
        if kind == Kind.START:
            run(claim(run_state.accept(instance, Kind.STOP, actor=ACTOR)))
        return claim(run_state.accept(instance, kind, actor=ACTOR))

    def check(self, kind, state, is_stopped):
        for guid in self.crashes(lambda guid: self.begin(kind, guid)):
            operation = Operation.objects.get(kind=kind, instance__guid=guid)
            assert operation.state == "succeeded", operation.detail
            instance = operation.instance
            assert self.world.container_of(instance).state == state
            assert (instance.container.stopped_at is not None) == is_stopped
            check_invariants(self.world)

    def test_a_restart_ends_running(self):
        self.check(Kind.RESTART, "running", False)

    def test_a_stop_ends_stopped(self):
        self.check(Kind.STOP, "exited", True)

    def test_a_start_ends_running(self):
        self.check(Kind.START, "running", False)
