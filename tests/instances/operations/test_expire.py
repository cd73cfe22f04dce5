"""Bindings whose time is over: the user goes, the binding stays."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors
from instances.models import AuditEvent, Kind, Operation, ServiceBinding, ServicePlan
from instances.operations import waiting
from instances.operations.execution import run
from instances.operations.expire import expire_overdue
from tests.fakes import Refused, claim, drain
from tests.instances.base import ACTOR, DomainTestCase


class ExpireTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        ServicePlan.objects.update(binding_lifetime_days=90)
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 0))

    def let_time_pass(self) -> None:
        ServiceBinding.objects.update(expires_at=Now() - timedelta(seconds=1))
        self.binding.refresh_from_db()

    def state(self) -> str:
        return ServiceBinding.objects.get(pk=self.binding.pk).state

    def expirations(self) -> list[Operation]:
        return list(Operation.objects.filter(kind=Kind.EXPIRE))


class LifetimeTest(ExpireTestCase):
    def test_it_is_the_plans(self):
        made_at, binding = self.binding.created_at, self.binding
        lifetime = binding.expires_at - made_at
        assert timedelta(days=90) - lifetime < timedelta(minutes=1)
        assert binding.expires_at.microsecond == 0

    def test_the_last_quarter_of_it_is_for_renewing(self):
        self.binding.created_at = datetime(2026, 1, 1, tzinfo=UTC)
        self.binding.expires_at = datetime(2026, 1, 9, tzinfo=UTC)
        assert self.binding.renew_before == datetime(2026, 1, 7, tzinfo=UTC)

    def test_a_month_is_enough_for_renewing(self):
        self.binding.created_at = datetime(2026, 1, 1, tzinfo=UTC)
        self.binding.expires_at = datetime(2027, 1, 31, tzinfo=UTC)
        assert self.binding.renew_before == datetime(2027, 1, 1, tzinfo=UTC)

    def test_a_plan_without_one_makes_bindings_for_ever(self):
        ServicePlan.objects.update(binding_lifetime_days=None)
        forever = self.bound(self.instance, "b-2")
        assert forever.expires_at is None and forever.renew_before is None
        expire_overdue()
        assert self.expirations() == []

    def test_an_edited_plan_changes_no_binding(self):
        before = self.binding.expires_at
        ServicePlan.objects.update(binding_lifetime_days=1)
        self.binding.refresh_from_db()
        assert self.binding.expires_at == before


class ExpireTest(ExpireTestCase):
    def test_before_its_time_nothing_happens(self):
        expire_overdue()
        drain()
        assert self.state() == "ready" and self.expirations() == []

    def test_the_credentials_are_refused_and_sessions_end(self):
        """I5."""
        session = self.log_in(self.binding)
        self.let_time_pass()
        expire_overdue()
        drain()
        assert self.state() == "expired"
        assert self.world.users_of(self.instance) == []
        for attempt in (
            lambda: session.write(self.instance.database),
            lambda: self.log_in(self.binding),
        ):
            with pytest.raises(Refused):
                attempt()

    def test_other_bindings_stay(self):
        self.let_time_pass()
        other = self.bound(self.instance, "b-2")
        expire_overdue()
        drain()
        self.log_in(other).write(self.instance.database)

    def test_it_is_recorded_once_however_often_one_looks(self):
        self.let_time_pass()
        for _ in range(3):
            expire_overdue()
        drain()
        expire_overdue()
        assert [operation.state for operation in self.expirations()] == ["succeeded"]
        assert AuditEvent.objects.filter(action="expire").count() == 1

    def test_while_the_instance_is_worked_on_it_waits(self):
        self.let_time_pass()
        update = Operation.objects.enqueue(Kind.UPDATE, self.instance, actor=ACTOR)
        expire_overdue()
        assert (self.expirations(), self.state()) == ([], "ready")
        Operation.objects.filter(pk=update.pk).cancel("for the test")
        expire_overdue()
        assert self.state() == "expired"

    def test_a_silent_engine_is_asked_until_it_answers(self):
        """F71: a revocation is never given up."""
        self.let_time_pass()
        expire_overdue()
        self.world.engine.is_down = True
        for _ in range(8):
            run(claim(self.expirations()[0]))
        assert self.expirations()[0].state == "queued"
        self.world.engine.is_down = False
        drain()
        assert self.world.users_of(self.instance) == []

    def test_a_container_that_is_gone_took_the_user_with_it(self):
        self.let_time_pass()
        expire_overdue()
        self.world.machine.containers.clear()
        drain()
        assert self.expirations()[0].state == "succeeded"


class AfterwardsTest(ExpireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.let_time_pass()
        expire_overdue()

    def test_an_unbind_takes_the_place_of_an_expiry_under_way(self):
        late = claim(self.expirations()[0])
        run(self.accept_unbind(self.instance))
        run(late)
        assert self.state() == "gone"
        assert self.expirations()[0].state == "cancelled"
        assert self.world.users_of(self.instance) == []

    def test_an_expired_one_is_unbound(self):
        drain()
        run(self.accept_unbind(self.instance))
        assert self.state() == "gone"

    def test_the_instance_can_be_deleted(self):
        drain()
        self.accept_deprovision(self.instance)
        drain()
        assert self.state() == "gone"
        self.assert_nothing_is_left()

    def test_no_other_binding_succeeds_it(self):
        """OSB 2.17, Binding Rotation: the predecessor is not expired."""
        with pytest.raises(errors.InvalidRequest, match="expired"):
            self.accept_bind(self.instance, "b-2", predecessor_guid="b-1")

    def test_nor_one_whose_expiry_nobody_has_noticed_yet(self):
        overdue = self.bound(self.instance, "b-3")
        type(overdue).objects.filter(pk=overdue.pk).update(expires_at=timezone.now())
        with pytest.raises(errors.InvalidRequest, match="expired"):
            self.accept_bind(self.instance, "b-4", predecessor_guid="b-3")
