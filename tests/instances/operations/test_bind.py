from unittest import mock

import pytest

from instances import errors
from instances.models import (
    Operation,
    ServiceBinding,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import waiting
from instances.operations.execution import run
from tests.fakes import AFTER, Refused, drain, expire_leases, make_plan
from tests.instances.base import DomainTestCase


class BindTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 0))

    def users(self) -> list[str]:
        return self.world.users_of(self.instance)


class AcceptTest(BindTestCase):
    def test_the_password_is_stored_before_the_user_is_made(self):
        """F66."""
        binding, _ = self.accept_bind(self.instance)
        assert self.users() == []
        assert ServiceBinding.objects.get().password == binding.password != ""

    def test_an_unknown_instance_is_not_found(self):
        self.instance.guid = "unknown"
        with pytest.raises(errors.NotFound):
            self.accept_bind(self.instance)

    def test_another_plan_or_offering_is_refused(self):
        for changes in ({"plan_id": "plan-2"}, {"offering_id": "offering-2"}):
            with pytest.raises(errors.InvalidRequest):
                self.accept_bind(self.instance, **changes)

    def test_parameters_are_refused(self):
        with pytest.raises(errors.InvalidRequest, match="role"):
            self.accept_bind(self.instance, parameters={"role": "dba"})

    def test_an_offering_without_bindings_is_refused(self):
        ServiceOffering.objects.update(bindable=False)
        with pytest.raises(errors.InvalidRequest):
            self.accept_bind(self.instance)

    def test_a_withdrawn_plan_can_be_bound(self):
        """F21."""
        ServicePlan.objects.update(active=False)
        self.bound(self.instance)

    def test_an_instance_that_is_not_ready_is_busy(self):
        """F70."""
        with pytest.raises(errors.ConcurrencyError):
            self.accept_bind(self.accept_provision("i-2"))

    def test_a_failed_instance_is_refused(self):
        self.world.machine.images.clear()
        failed = self.accept_provision("i-2")
        drain()
        with pytest.raises(errors.InvalidRequest):
            self.accept_bind(failed)

    def test_an_instance_that_is_being_deleted_is_busy(self):
        self.accept_deprovision(self.instance)
        with pytest.raises(errors.ConcurrencyError):
            self.accept_bind(self.instance)

    def test_a_repeat_has_the_same_credentials_and_no_operation(self):
        """F69."""
        first = self.bound(self.instance)
        second, operation = self.accept_bind(self.instance)
        assert operation is None
        assert second.credentials == first.credentials

    def test_a_repeat_with_other_attributes_is_a_conflict(self):
        self.bound(self.instance)
        for changes in (
            {"app_guid": "app"},
            {"bind_resource": {"app_guid": "app"}},
            {"parameters": {"a": 1}},
        ):
            with pytest.raises(errors.Conflict):
                self.accept_bind(self.instance, **changes)

    def test_a_repeat_while_the_first_runs_is_busy(self):
        """F69."""
        self.accept_bind(self.instance)
        with pytest.raises(errors.ConcurrencyError):
            self.accept_bind(self.instance)
        assert Operation.objects.filter(kind="bind").count() == 1

    def test_it_waits_a_little_for_what_excludes_it(self):
        other = self.accept_provision("i-2")
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 5))
        sleep = self.enterContext(mock.patch.object(waiting.time, "sleep"))
        sleep.side_effect = lambda _: drain()
        binding, operation = self.accept_bind(other)
        assert operation is not None and binding.state == "creating"


class PerformTest(BindTestCase):
    def test_the_credentials_open_the_instances_database(self):
        """I4."""
        binding = self.bound(self.instance)
        self.log_in(binding).write(self.instance.database)
        assert self.users() == [binding.username]

    def test_each_binding_is_a_user_of_its_own(self):
        """S22."""
        first = self.bound(self.instance, "b-1")
        second = self.bound(self.instance, "b-2")
        assert first.password != second.password
        assert self.users() == sorted([first.username, second.username])

    def test_the_plans_connections_are_the_users(self):
        ServicePlan.objects.update(connections=1)
        binding = self.bound(self.provisioned("i-2"))
        self.log_in(binding)
        with pytest.raises(Refused):
            self.log_in(binding)

    def test_many_at_once_exclude_nobody(self):
        """F69: one push of many apps."""
        accepted = [self.accept_bind(self.instance, f"b-{n}") for n in range(5)]
        for _, operation in reversed(accepted):
            run(operation)
        assert len(self.users()) == 5

    def test_one_instance_that_is_busy_delays_no_other(self):
        """I13."""
        self.accept_provision("i-2")
        self.bound(self.instance)

    def test_another_plan_does_not_matter_to_a_bound_one(self):
        make_plan("plan-2")
        self.bound(self.instance)


class FailureTest(BindTestCase):
    """F3, F66, F67: a bind is tried once; what it may have made is removed."""

    def failed(self) -> ServiceBinding:
        binding, operation = self.accept_bind(self.instance)
        run(operation)
        operation.refresh_from_db()
        assert operation.state == "failed"
        binding.refresh_from_db()
        assert binding.state == "deleting"
        return binding

    def test_a_silent_engine_fails_it_and_the_user_is_dropped_later(self):
        self.world.engine.is_down = True
        self.failed()
        self.world.engine.is_down = False
        drain()
        assert ServiceBinding.objects.get().state == "gone"
        assert self.users() == []

    def test_a_lost_answer_leaves_no_ghost(self):
        """I6."""
        self.faults.on("create_user", errors.EngineUnreachable(), moment=AFTER)
        self.failed()
        drain()
        assert self.users() == []

    def test_a_bug_leaves_no_ghost(self):
        self.faults.on("create_user", ValueError("a bug"), moment=AFTER)
        self.failed()
        drain()
        assert self.users() == []

    def test_the_id_is_free_again_once_it_is_cleaned_up(self):
        self.world.engine.is_down = True
        self.failed()
        with pytest.raises(errors.ConcurrencyError):
            self.accept_bind(self.instance)
        self.world.engine.is_down = False
        drain()
        self.bound(self.instance)

    def test_a_bind_that_comes_late_drops_its_user_again(self):
        """F24, F68: it was unbound while its CREATE USER was on the way."""
        _, operation = self.accept_bind(self.instance)

        def unbind() -> None:
            run(self.accept_unbind(self.instance, owner="web-other"))

        self.faults.on("create_user", unbind)
        run(operation)
        assert self.users() == []
        assert ServiceBinding.objects.get().state == "gone"
        assert not Operation.objects.unfinished().exists()

    def test_a_bind_whose_web_process_died_is_settled_by_a_worker(self):
        """F3, F22."""
        self.accept_bind(self.instance)
        expire_leases()
        drain()
        assert ServiceBinding.objects.get().state == "gone"

    def test_a_bind_that_lost_its_lease_cannot_say_ready(self):
        """F24."""
        _, operation = self.accept_bind(self.instance)

        def take_over() -> None:
            expire_leases()
            drain()

        self.faults.on("create_user", take_over, moment=AFTER)
        run(operation)
        assert ServiceBinding.objects.get().state == "gone"
        assert self.users() == []
