import pytest

from instances import errors
from instances.models import (
    Container,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
    ServicePlan,
)
from instances.operations import deprovision
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.fakes import AFTER, BEFORE, claim, drain
from tests.instances.base import ACTOR, DomainTestCase


class DeprovisionTest(DomainTestCase):
    def deprovisioned(self, instance: ServiceInstance) -> Operation:
        operation = self.accept_deprovision(instance)
        drain()
        operation.refresh_from_db()
        return operation

    def test_nothing_is_left(self):
        """I1, I2."""
        instance = self.provisioned()
        assert self.deprovisioned(instance).state == "succeeded"
        instance.refresh_from_db()
        assert (instance.state, instance.live_key) == ("gone", None)
        self.assert_nothing_is_left()

    def test_the_port_rests(self):
        """F112."""
        self.deprovisioned(self.provisioned())
        lease = PortLease.objects.get()
        assert lease.container is None and lease.resting_until is not None

    def test_bindings_go_with_it(self):
        """F13."""
        instance = self.provisioned()
        self.bound(instance)
        self.deprovisioned(instance)
        binding = ServiceBinding.objects.get()
        assert (binding.state, binding.live_key) == ("gone", None)
        assert (binding.password, binding.credentials) == ("", {})

    def test_a_second_wish_joins_the_first(self):
        """F14."""
        instance = self.provisioned()
        first = self.accept_deprovision(instance)
        second, is_new = deprovision.accept(instance, actor=ACTOR)
        assert (second, is_new) == (first, False)

    def test_a_wish_for_what_went_meanwhile_is_gone(self):
        """F14: the caller's copy is stale."""
        instance = self.provisioned()
        stale = ServiceInstance.objects.get(pk=instance.pk)
        self.deprovisioned(instance)
        with pytest.raises(errors.Gone):
            self.accept_deprovision(stale)

    def test_a_withdrawn_plan_does_not_matter(self):
        """F21."""
        instance = self.provisioned()
        ServicePlan.objects.update(active=False)
        assert self.deprovisioned(instance).state == "succeeded"

    def test_the_id_can_be_used_again(self):
        self.deprovisioned(self.provisioned())
        self.provisioned()

    def test_it_goes_on_until_a_dead_host_is_back(self):
        """F6, F26, F108: never given up, only slowed down."""
        instance = self.provisioned()
        self.world.machine.is_down = True
        operation = self.accept_deprovision(instance)
        for _ in range(12):
            run(claim(operation))
        operation.refresh_from_db()
        assert operation.state == "queued"
        assert PortLease.objects.get().container is not None
        self.host.refresh_from_db()
        assert "down" in self.host.problem
        self.world.machine.is_down = False
        drain()
        self.assert_nothing_is_left()

    def test_a_bug_does_not_end_it(self):
        """F26."""
        instance = self.provisioned()
        self.faults.on("remove", ValueError("a bug"))
        assert self.deprovisioned(instance).state == "succeeded"

    def test_the_port_is_given_back_last(self):
        """F105, I2: only when the container is seen to be gone."""
        instance = self.provisioned()
        self.faults.on("remove", errors.HostUnreachable(), moment=AFTER)
        operation = self.accept_deprovision(instance)
        run(claim(operation))
        assert PortLease.objects.get().container is not None
        drain()
        self.assert_nothing_is_left()

    def test_a_container_that_was_removed_by_hand_is_fine(self):
        """F36, F49."""
        instance = self.provisioned()
        self.world.machine.containers.clear()
        assert self.deprovisioned(instance).state == "succeeded"

    def test_a_failed_instance_can_be_deleted(self):
        """F10."""
        self.world.machine.images.clear()
        instance = self.accept_provision()
        drain()
        assert self.deprovisioned(instance).state == "succeeded"

    def test_it_cancels_a_bind_under_way(self):
        """F103 for binds: the deletion wins."""
        instance = self.provisioned()
        _, operation = self.accept_bind(instance)
        self.deprovisioned(instance)
        run(operation)
        operation.refresh_from_db()
        assert operation.state == "cancelled"
        assert ServiceBinding.objects.get().state == "gone"

    def test_it_cancels_an_unbind_under_way(self):
        instance = self.provisioned()
        self.bound(instance)
        operation = self.accept_unbind(instance)
        self.deprovisioned(instance)
        run(operation)
        assert ServiceBinding.objects.get().state == "gone"
        self.assert_nothing_is_left()


class DuringProvisionTest(DomainTestCase):
    """F4, F12, I10: a DELETE that arrives while the provision runs."""

    def provision_interrupted(
        self, number: int, moment: str, *, is_performed: bool
    ) -> ServiceInstance:
        """Provision; at the given call to the outside, somebody deletes."""
        instance = self.accept_provision(f"i-{number}-{moment}-{is_performed}")
        operation = claim(instance.operations.get())

        def delete() -> None:
            deletion = self.accept_deprovision(instance)
            if is_performed:
                run(claim(deletion, "worker-other-0"))

        self.faults.on(None, delete, nth=number, moment=moment)
        run(operation)
        operation.refresh_from_db()
        assert operation.state == "cancelled"
        drain()
        return instance

    def calls_of_a_provision(self) -> int:
        instance = self.provisioned()
        calls = len(self.faults.calls)
        self.accept_deprovision(instance)
        drain()
        return calls

    def test_at_every_step_nothing_is_left(self):
        for number in range(1, self.calls_of_a_provision() + 1):
            for moment in (BEFORE, AFTER):
                for is_performed in (False, True):
                    with self.subTest(number, moment=moment, done=is_performed):
                        instance = self.provision_interrupted(
                            number, moment, is_performed=is_performed
                        )
                        instance.refresh_from_db()
                        assert instance.state == "gone"
                        self.assert_nothing_is_left()
                        assert not PortLease.objects.exclude(container=None).exists()

    def test_before_it_has_begun_it_never_begins(self):
        instance = self.accept_provision()
        self.accept_deprovision(instance)
        self.faults.calls.clear()
        drain()
        assert self.faults.calls == []
        self.assert_nothing_is_left()

    def test_the_deletion_needs_no_poll(self):
        """F6."""
        self.accept_deprovision(self.accept_provision())
        drain()
        assert not ServiceInstance.objects.exclude(state="gone").exists()

    def test_a_create_that_is_executed_after_the_deletion_is_removed(self):
        """F35, F112: the abandoned request comes late, its sender is dead."""
        instance = self.provisioned()
        late = self.world.container_of(instance)
        self.accept_deprovision(instance)
        drain()
        self.world.machine.containers[late.spec.name] = late
        reconcile(self.host)
        assert Container.objects.get().state == "gone"
        self.assert_nothing_is_left()
