from dataclasses import replace

import pytest

from instances import errors
from instances.models import Container, DockerHost, Operation, PortLease
from instances.operations import back_up
from instances.operations.reconcile import reconcile
from tests.fakes import ADDRESS, check_invariants, drain
from tests.fakes.machine import FakeContainer
from tests.instances.base import ACTOR, DomainTestCase

READING = {"list", "find", "describe", "logs"}


class ReconcileTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()
        self.container = self.world.container_of(self.instance)
        self.machine = self.world.machine
        self.faults.calls.clear()

    def reconcile(self) -> None:
        reconcile(self.host)

    def retired(self) -> FakeContainer:
        """The instance's container, with its row retiring and nobody at work."""
        self.instance.container.retire()
        return self.container

    def deprovisioned(self) -> FakeContainer:
        self.accept_deprovision(self.instance)
        drain()
        return self.container

    def test_a_quiet_pass_changes_nothing(self):
        """I15."""
        self.reconcile()
        self.reconcile()
        assert set(self.faults.calls) <= READING

    def test_a_pass_during_a_provision_changes_nothing(self):
        """F30: what is starting is the worker's."""
        operation = self.accept_provision("i-2").operations.get()
        for call in ("create", "start", "create_database"):
            self.faults.on(call, self.reconcile)
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded"
        check_invariants(self.world)

    def test_contact_is_noted(self):
        self.host.note_contact("does not answer")
        self.reconcile()
        assert DockerHost.objects.get().problem == ""

    def test_a_dead_host_is_told(self):
        self.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            self.reconcile()

    def test_a_late_create_of_a_gone_container_is_swept(self):
        """F35, F112, I10."""
        late = self.deprovisioned()
        self.machine.containers[late.spec.name] = late
        self.reconcile()
        assert self.world.containers() == []

    def test_it_is_swept_as_often_as_it_comes(self):
        """F35: not once."""
        late = self.deprovisioned()
        for _ in range(2):
            self.machine.containers[late.spec.name] = late
            self.reconcile()
            assert self.world.containers() == []

    def test_a_retiring_container_is_removed_and_its_port_rests(self):
        """F43, I2."""
        self.retired()
        self.reconcile()
        assert self.world.containers() == []
        assert Container.objects.get().state == "gone"
        assert PortLease.objects.get().container is None

    def test_a_retiring_container_that_is_not_there_is_gone(self):
        self.retired()
        self.machine.containers.clear()
        self.reconcile()
        assert Container.objects.get().state == "gone"

    def test_a_stopped_container_in_use_is_started(self):
        """F39, F40, F50."""
        self.container.state = "exited"
        self.reconcile()
        assert self.container.state == "running"

    def test_a_container_whose_port_is_taken_keeps_its_port(self):
        """F132, F54: the credentials contain it; the rest of the pass goes on."""
        self.container.state = "exited"
        self.machine.strangers.add(self.container.address)
        late = replace(self.container.spec, name="unknown")
        self.machine.containers["unknown"] = FakeContainer(late)
        self.reconcile()
        assert PortLease.objects.get().container == self.instance.container
        self.machine.strangers.clear()
        self.reconcile()
        assert self.container.state == "running"

    def test_a_container_removed_by_hand_is_not_made_again(self):
        """F49: never silently empty."""
        self.machine.containers.clear()
        self.reconcile()
        assert self.world.containers() == []
        assert Container.objects.get().state == "in_use"

    def test_a_labelled_container_without_a_row_is_left_alone_and_reported(self):
        """F120, F31: our database may be an older copy."""
        spec = replace(
            self.container.spec,
            name="unknown",
            publish_address=ADDRESS,
            labels={**self.container.spec.labels, "brokersite.container": "0" * 32},
        )
        self.machine.containers["unknown"] = FakeContainer(spec, state="running")
        with self.assertLogs("instances.operations.reconcile", "WARNING") as logged:
            self.reconcile()
        assert "unknown has no row" in logged.output[0]
        assert "unknown" in self.machine.containers

    def test_another_brokers_containers_are_never_touched(self):
        """S8."""
        labels = {"brokersite.broker": "another", "brokersite.container": "x"}
        spec = replace(self.container.spec, name="theirs", labels=labels)
        self.machine.containers["theirs"] = FakeContainer(spec)
        self.reconcile()
        assert self.machine.containers["theirs"].state == "created"

    def test_a_paused_container_goes_on_unless_it_is_being_backed_up(self):
        """F50, F90."""
        self.container.state = "paused"
        back_up.accept(self.instance, trigger="operator", actor=ACTOR)
        with self.assertLogs("instances.operations.reconcile", "WARNING"):
            self.reconcile()
        assert self.container.state == "paused"
        Operation.objects.all().cancel("its worker has died")
        self.reconcile()
        assert self.container.state == "running"

    def test_an_empty_list_removes_and_creates_nothing(self):
        """F31: a daemon that has just restarted."""
        self.machine.containers.clear()
        self.faults.calls.clear()
        self.reconcile()
        assert set(self.faults.calls) <= READING
        assert not PortLease.objects.filter(container=None).exists()

    def test_one_that_cannot_be_removed_does_not_stop_the_rest(self):
        """I13."""
        self.retired()
        second = self.provisioned("i-2")
        second.container.retire()
        self.faults.on("remove", errors.HostRefused())
        with self.assertLogs("instances", "WARNING"):
            self.reconcile()
        assert len(self.world.containers()) == 1
