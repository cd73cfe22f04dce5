from unittest import mock

import pytest

from instances import errors
from instances.models import (
    Container,
    DockerHost,
    ServiceInstance,
    ServicePlan,
)
from instances.models import container as container_rows
from instances.operations.execution import run
from tests.fakes import AFTER, BEFORE, Crash, drain, expire_leases
from tests.instances.operations.test_standby import ADOPTER, StandbyTestCase


class AdoptTest(StandbyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.replenish()
        self.faults.calls.clear()

    def test_an_instance_gets_one_inside_the_request(self):
        ready = self.names()
        operation = self.adopted()
        assert operation.state == "succeeded"
        instance = ServiceInstance.objects.get()
        assert instance.container.name in ready and instance.container.port
        assert list(self.world.container_of(instance).databases) == [instance.database]
        assert self.faults.calls == ["create_database"]
        self.log_in(self.bound(instance)).write(instance.database)

    def test_the_oldest_goes_first_and_is_replaced(self):
        oldest = Container.objects.order_by("created_at").first()
        self.adopted()
        assert ServiceInstance.objects.get().container == oldest
        self.replenish()
        assert len(self.names()) == 2
        self.assert_in_step()

    def test_two_get_different_ones_and_the_third_waits_for_the_worker(self):
        """F64."""
        operations = [self.adopted(f"i-{number}") for number in range(3)]
        states = [operation.state for operation in operations]
        assert states == ["succeeded", "succeeded", "queued"]
        drain()
        assert len(set(ServiceInstance.objects.values_list("container"))) == 3

    def test_the_loser_of_a_race_takes_the_next_or_none(self):
        """F64: both have seen the same row; the update decides."""
        first, second = Container.objects.order_by("created_at")
        winner = Container.objects.get(pk=first.pk)
        with mock.patch.object(container_rows._READY, "rows") as seen:
            seen.return_value = [winner]
            assert Container.objects.claim_standby(self.plan) == winner
            assert Container.objects.claim_standby(self.plan) is None
            seen.return_value = [first, second]
            assert Container.objects.claim_standby(self.plan) == second

    def test_a_refused_wish_leaves_it_standing_by(self):
        ServicePlan.objects.update(instance_limit=0)
        with pytest.raises(errors.NoCapacity):
            self.adopted()
        assert len(self.names()) == 2

    def test_without_an_adopter_none_is_taken(self):
        self.accept_provision()
        assert len(self.names()) == 2

    def test_none_is_taken_that_is_not_as_planned_or_cannot_be_reached(self):
        for rows, changes, before in (
            (ServicePlan.objects, {"memory_mb": 512}, {"memory_mb": 256}),
            (DockerHost.objects, {"state": "cordoned"}, {"state": "active"}),
            (DockerHost.objects, {"problem": "down"}, {"problem": ""}),
        ):
            rows.update(**changes)
            assert Container.objects.claim_standby(self.plan) is None, changes
            rows.update(**before)

    def test_a_dead_one_is_retired_and_the_next_attempt_starts_cold(self):
        """F65."""
        for container in self.world.containers():
            container.state = "exited"
        operation = self.adopted()
        assert operation.state == "queued"
        instance = ServiceInstance.objects.get()
        assert instance.container is None
        (dead,) = self.names("retiring")
        drain()
        instance.refresh_from_db()
        assert instance.state == "ready" and instance.container.name != dead
        self.replenish()
        self.assert_in_step()

    def test_a_web_process_that_dies_leaves_it_to_the_worker(self):
        """F22, F58."""
        for number, moment in enumerate((BEFORE, AFTER)):
            self.replenish()
            self.faults.on("create_database", Crash(), moment=moment)
            with pytest.raises(Crash):
                self.adopted(f"i-{number}")
            row = ServiceInstance.objects.get(guid=f"i-{number}").container
            assert row.state == "adopting"
            self.replenish()
            expire_leases()
            drain()
            instance = ServiceInstance.objects.get(guid=f"i-{number}")
            assert (instance.state, instance.container) == ("ready", row)
        self.replenish()
        self.assert_in_step()

    def test_a_deprovision_takes_the_own_one_only(self):
        self.adopted()
        self.accept_deprovision(ServiceInstance.objects.get())
        drain()
        assert len(self.names()) == 1
        self.assert_in_step()

    def test_a_deprovision_overtakes_an_adoption(self):
        """F12, F68."""
        operation = self.accept_provision(adopter=ADOPTER).operations.get()
        self.faults.on("create_database", lambda: self.delete("i-1"))
        run(operation)
        drain()
        assert len(self.names()) == 1
        self.assert_in_step()

    def delete(self, guid: str) -> None:
        self.accept_deprovision(ServiceInstance.objects.get_live(guid))
