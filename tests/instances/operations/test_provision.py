from unittest import mock

import pytest

from instances import errors
from instances.models import (
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import provision
from instances.operations.execution import run
from tests.fakes import (
    AFTER,
    IMAGE,
    URL,
    check_invariants,
    claim,
    drain,
    make_host,
    make_plan,
)
from tests.instances.base import DomainTestCase


class AcceptTest(DomainTestCase):
    def test_the_wish_is_recorded_before_anything_is_done(self):
        """F2."""
        instance = self.accept_provision()
        assert instance.state == "provisioning"
        assert instance.operations.get().state == "queued"
        assert self.faults.calls == []

    def test_a_repeat_gets_the_first_operation(self):
        """F8."""
        first = self.accept_provision().operations.get()
        self.accept_provision()
        assert Operation.objects.get() == first

    def test_a_repeat_after_success_gets_the_first_operation(self):
        """F9."""
        self.provisioned()
        assert self.accept_provision().operations.get().state == "succeeded"

    def test_another_plan_parameter_or_space_is_a_conflict(self):
        """F9."""
        make_plan("plan-2")
        self.accept_provision()
        for changes in (
            {"plan_id": "plan-2"},
            {"parameters": {"a": 1}},
            {"organization_guid": "o-2"},
            {"space_guid": "s-2"},
        ):
            with pytest.raises(errors.Conflict):
                self.accept_provision(**changes)

    def test_another_context_is_no_conflict(self):
        self.accept_provision(context={"instance_name": "old"})
        self.accept_provision(context={"instance_name": "new"})

    def test_parameters_are_refused(self):
        """S5: the plan takes none, so none reaches anything."""
        with pytest.raises(errors.InvalidRequest, match="LD_PRELOAD"):
            self.accept_provision(parameters={"LD_PRELOAD": "/x"})
        assert not ServiceInstance.objects.exists()

    def test_a_withdrawn_plan_is_refused_for_new_instances_only(self):
        """F21."""
        self.provisioned()
        ServicePlan.objects.update(active=False)
        self.accept_provision()
        with pytest.raises(errors.InvalidRequest):
            self.accept_provision("i-2")

    def test_a_withdrawn_offering_is_refused(self):
        ServiceOffering.objects.update(active=False)
        with pytest.raises(errors.InvalidRequest):
            self.accept_provision()

    def test_no_capacity_is_refused_and_leaves_nothing(self):
        """F59."""
        DockerHost.objects.update(memory_mb=1)
        with pytest.raises(errors.NoCapacity):
            self.accept_provision()
        assert not ServiceInstance.objects.exists()

    def test_an_id_that_is_being_deleted_is_busy(self):
        self.accept_deprovision(self.accept_provision())
        with pytest.raises(errors.ConcurrencyError):
            self.accept_provision()

    def test_an_id_that_has_failed_is_a_conflict_until_it_is_deleted(self):
        """F10."""
        self.world.machine.images.clear()
        instance = self.accept_provision()
        drain()
        self.world.machine.images.add(IMAGE)
        with pytest.raises(errors.Conflict):
            self.accept_provision()
        self.accept_deprovision(instance)
        drain()
        self.provisioned()

    def test_the_loser_of_a_race_gets_the_winners_operation(self):
        """F8, I7: the unique id decides, not the look before."""
        winner = self.accept_provision()
        manager = type(ServiceInstance.objects)
        with mock.patch.object(manager, "find_live", side_effect=[None, winner]):
            self.accept_provision()
        assert ServiceInstance.objects.get() == winner
        assert Operation.objects.count() == 1


class PerformTest(DomainTestCase):
    def test_a_database_answers_when_it_has_succeeded(self):
        """I3, I9."""
        instance = self.provisioned()
        container = self.world.container_of(instance)
        assert container.state == "running"
        assert list(container.databases) == [instance.database]
        check_invariants(self.world)

    def test_labels_hold_ids_and_nothing_else(self):
        """S18."""
        instance = self.provisioned()
        spec = self.world.container_of(instance).spec
        assert set(spec.labels) == {"brokersite.container", "brokersite.broker"}
        assert instance.container.admin_secret not in str(spec)

    def test_limits_are_those_of_the_row_not_of_todays_plan(self):
        """F125."""
        operation = self.provision_operation()
        self.faults.on("create", self.edit_plan)
        run(operation)
        spec = self.world.containers()[0].spec
        assert (spec.memory_mb, spec.image) == (256, IMAGE)

    def edit_plan(self) -> None:
        ServicePlan.objects.update(memory_mb=512, image="brokersite/other:1")

    def test_a_second_run_after_success_is_not_offered(self):
        self.provisioned()
        assert Operation.objects.claim_next("worker-other-0") is None

    def test_a_missing_image_fails_with_a_sentence(self):
        """F47."""
        self.world.machine.images.clear()
        instance = self.accept_provision()
        drain()
        operation = instance.operations.get()
        assert operation.state == "failed"
        assert operation.error == "The database's image is missing on the host."
        assert IMAGE in operation.detail
        self.assert_nothing_is_left()

    def test_a_container_that_exits_fails_with_its_log_for_the_operator(self):
        """F60."""
        self.world.machine.failing_images[IMAGE] = 64
        self.faults.on("start", self.write_log, moment=AFTER)
        with mock.patch.object(provision, "READY_LIMIT_S", 0):
            instance = self.accept_provision()
            drain()
        operation = instance.operations.get()
        assert "no verifier given" in operation.detail
        assert "no verifier given" not in operation.error
        self.assert_nothing_is_left()

    def write_log(self) -> None:
        self.world.containers()[0].log = "no verifier given\n"

    def test_a_container_that_exits_is_not_waited_for(self):
        """F60: told by its exit code within a second or two."""
        self.world.machine.failing_images[IMAGE] = 64
        instance = self.accept_provision()
        drain()
        assert "exit code 64" in instance.operations.get().detail

    def test_an_engine_that_is_never_ready_fails(self):
        """F61."""
        self.world.engine.is_down = True
        with mock.patch.object(provision, "READY_LIMIT_S", 0):
            instance = self.accept_provision()
            drain()
        instance.refresh_from_db()
        assert instance.state == "failed"
        self.assert_nothing_is_left()

    def test_a_failed_instance_leaves_no_container_and_no_lease(self):
        """I9."""
        self.faults.on("create_database", ValueError("a bug"))
        instance = self.accept_provision()
        drain()
        instance.refresh_from_db()
        assert instance.state == "failed"
        assert instance.operations.get().error
        self.assert_nothing_is_left()
        assert not PortLease.objects.filter(container__isnull=False).exists()


class PortTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.address = self.host.publish_address

    def test_a_port_of_a_stranger_is_left_for_another(self):
        """F54."""
        self.world.machine.strangers.add((self.address, 20000))
        instance = self.provisioned()
        assert instance.container.port == 20001
        lease = PortLease.objects.get(number=20000)
        assert lease.container is None and lease.reason == "held by another program"
        check_invariants(self.world)

    def test_three_ports_of_strangers_are_tried_again_later(self):
        """F54."""
        for port in range(20000, 20004):
            self.world.machine.strangers.add((self.address, port))
        operation = self.provision_operation()
        run(operation)
        assert operation.state == "queued"
        drain()
        assert self.world.containers()[0].spec.publish_port == 20004
        check_invariants(self.world)

    def test_strangers_everywhere_is_a_failure_that_leaves_nothing(self):
        DockerHost.objects.update(port_max=20001)
        for port in range(20000, 20002):
            self.world.machine.strangers.add((self.address, port))
        instance = self.accept_provision()
        drain()
        instance.refresh_from_db()
        assert instance.state == "failed"
        self.assert_nothing_is_left()


class HostTest(DomainTestCase):
    def test_a_dead_host_is_left_for_another(self):
        """F32, F42."""
        self.world.machine.is_down = True
        other = make_host("two", memory_mb=1024)
        instance = self.provisioned()
        assert instance.container.host == other
        assert "down" in DockerHost.objects.get(url=URL).problem

    def test_what_was_placed_on_the_dead_host_is_to_be_removed(self):
        """F43."""
        self.world.machine.is_down = True
        make_host("two", memory_mb=1024)
        self.provisioned()
        left = Container.objects.get(host=self.host)
        assert left.state == "retiring" and left.port is not None

    def test_the_only_host_is_waited_for(self):
        """F32."""
        self.world.machine.is_down = True
        operation = self.provision_operation()
        run(operation)
        assert operation.state == "queued"
        self.world.machine.is_down = False
        drain()
        assert Operation.objects.get().state == "succeeded"
        assert Container.objects.count() == 1
        check_invariants(self.world)

    def test_a_host_that_stays_dead_ends_in_failure(self):
        """F26, I8."""
        self.world.machine.is_down = True
        instance = self.accept_provision()
        drain()
        operation = instance.operations.get()
        assert (operation.state, operation.attempts) == ("failed", 6)
        assert operation.error == errors.Transient.message
        assert not PortLease.objects.filter(resting_until__isnull=False).exists()

    def test_a_host_that_answers_again_is_no_longer_a_problem(self):
        self.host.note_contact("does not answer")
        self.provisioned()
        assert DockerHost.objects.get().problem == ""

    def test_a_slow_start_goes_on_in_the_next_attempt(self):
        """F38: an answer that is lost is a failure to reach."""
        operation = self.provision_operation()
        self.faults.on("start", errors.HostUnreachable(), moment=AFTER)
        run(operation)
        run(claim(operation))
        assert Operation.objects.get().state == "succeeded"
        check_invariants(self.world)
