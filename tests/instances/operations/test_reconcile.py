"""Passes over a host: what is in step stays, what is not is settled."""

from dataclasses import replace

import pytest

from instances import errors
from instances.models import Container, DockerHost, Operation, PortLease
from instances.operations import back_up
from tests.fakes import check_invariants, drain
from tests.fakes.machine import FakeContainer
from tests.instances.base import ACTOR
from tests.instances.operations.reconcile_base import READING, ReconcileTestCase


class ReconcileTest(ReconcileTestCase):
    def retired(self) -> FakeContainer:
        """The instance's container, with its row retiring and nobody at work."""
        self.instance.container.retire()
        return self.container

    def test_a_quiet_pass_changes_nothing(self):
        """I15."""
        self.assert_quiet()
        self.assert_quiet()

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
        self.faults.on("remove", errors.HostRefused(detail="it is busy"))
        self.reconcile()
        assert len(self.world.containers()) == 1
        assert [kind for kind, _ in self.standing()] == ["unwanted"]
        self.reconcile()
        self.assert_quiet()
