from unittest import mock

import pytest

from instances import errors
from instances.models import Operation, ServiceBinding, ServicePlan
from instances.operations import waiting
from instances.operations.execution import run
from tests.fakes import AFTER, WORKER, Refused, claim, drain
from tests.instances.base import DomainTestCase


class UnbindTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 0))

    def unbind(self) -> Operation:
        operation = self.accept_unbind(self.instance)
        run(operation)
        operation.refresh_from_db()
        return operation

    def state(self) -> str:
        return ServiceBinding.objects.get().state

    def test_the_credentials_are_refused_from_now_on(self):
        """I5."""
        self.unbind()
        with pytest.raises(Refused):
            self.log_in(self.binding)

    def test_a_session_that_was_open_cannot_write(self):
        """F73."""
        session = self.log_in(self.binding)
        self.unbind()
        with pytest.raises(Refused):
            session.write(self.instance.database)

    def test_the_row_forgets_the_secrets_and_frees_the_id(self):
        self.unbind()
        binding = ServiceBinding.objects.get()
        assert (binding.state, binding.live_key) == ("gone", None)
        assert (binding.password, binding.credentials) == ("", {})
        self.bound(self.instance)

    def test_an_unknown_binding_is_gone(self):
        """F72."""
        with pytest.raises(errors.Gone):
            self.accept_unbind(self.instance, "unknown")

    def test_a_binding_of_an_unknown_instance_is_gone(self):
        self.instance.guid = "unknown"
        with pytest.raises(errors.Gone):
            self.accept_unbind(self.instance)

    def test_a_second_one_is_gone(self):
        self.unbind()
        with pytest.raises(errors.Gone):
            self.accept_unbind(self.instance)

    def test_a_second_one_while_the_first_runs_is_busy(self):
        self.accept_unbind(self.instance)
        with pytest.raises(errors.ConcurrencyError):
            self.accept_unbind(self.instance, owner="web-other")

    def test_while_the_instance_is_being_deleted_it_is_busy(self):
        self.accept_deprovision(self.instance)
        with pytest.raises(errors.ConcurrencyError):
            self.accept_unbind(self.instance)

    def test_a_withdrawn_plan_does_not_matter(self):
        """F21."""
        ServicePlan.objects.update(active=False)
        self.unbind()
        assert self.state() == "gone"

    def test_a_silent_engine_keeps_it_until_the_engine_answers(self):
        """F71: never success while the credentials could live again."""
        self.world.engine.is_down = True
        assert self.unbind().state == "queued"
        assert self.state() == "deleting"
        self.world.engine.is_down = False
        drain()
        assert self.state() == "gone"
        assert self.world.users_of(self.instance) == []

    def test_a_dead_host_keeps_it_until_the_host_is_back(self):
        """F71."""
        self.world.machine.is_down = self.world.engine.is_down = True
        assert self.unbind().state == "queued"
        self.world.machine.is_down = self.world.engine.is_down = False
        drain()
        assert self.state() == "gone"

    def test_it_is_never_given_up(self):
        """F26."""
        self.world.engine.is_down = True
        operation = self.unbind()
        for _ in range(12):
            run(claim(operation))
        operation.refresh_from_db()
        assert operation.state == "queued"

    def test_a_stopped_container_may_come_back_so_it_waits(self):
        """F71."""
        self.world.container_of(self.instance).state = "exited"
        assert self.unbind().state == "queued"

    def test_a_container_that_is_gone_took_the_user_with_it(self):
        """F49, F71."""
        self.world.machine.containers.clear()
        assert self.unbind().state == "succeeded"

    def test_a_lost_answer_is_asked_again(self):
        """F36."""
        self.faults.on("drop_user", errors.EngineUnreachable(), moment=AFTER)
        assert self.unbind().state == "queued"
        drain()
        assert self.state() == "gone"

    def test_a_second_request_takes_up_one_that_waits(self):
        """The platform's retry is at once, not in a minute."""
        self.world.engine.is_down = True
        waiting_one = self.unbind()
        self.world.engine.is_down = False
        assert self.unbind() == waiting_one
        assert self.state() == "gone"

    def test_it_cancels_a_bind_under_way(self):
        """OSB 2.17, Unbinding: it halts the bind and deletes its resources."""
        _, bind = self.accept_bind(self.instance, "b-2")
        unbind = self.accept_unbind(self.instance, "b-2", owner="web-other")
        run(bind)
        run(unbind)
        bind.refresh_from_db()
        assert bind.state == "cancelled"
        assert self.world.users_of(self.instance) == [self.binding.username]

    def test_it_frees_only_its_own_user(self):
        other = self.bound(self.instance, "b-2")
        self.unbind()
        self.log_in(other).write(self.instance.database)

    def test_a_deprovision_that_follows_takes_it_along(self):
        """F13."""
        self.world.engine.is_down = True
        self.unbind()
        self.accept_deprovision(self.instance)
        drain()
        assert self.state() == "gone"
        assert not Operation.objects.unfinished().exists()
        assert Operation.objects.claim_next(WORKER) is None
