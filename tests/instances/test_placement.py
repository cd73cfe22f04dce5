from datetime import timedelta

import pytest
from django.db.models.functions import Now

from instances import errors, placement
from instances.models import Container, DockerHost, PortLease
from tests.fakes import make_host, make_plan
from tests.instances.base import DomainTestCase


class PlaceTest(DomainTestCase):
    def test_the_row_has_the_plans_image_and_limits(self):
        container = placement.place(self.plan)
        assert container.image == self.plan.image
        assert container.memory_mb == self.plan.memory_mb
        assert container.pids == self.plan.pids
        assert container.state == "starting"

    def test_each_container_has_a_secret_of_its_own(self):
        """S22."""
        secrets = {placement.place(self.plan).admin_secret for _ in range(3)}
        assert len(secrets) == 3 and min(map(len, secrets)) >= 32

    def test_the_emptiest_host_is_chosen(self):
        roomy = make_host("two", memory_mb=self.host.memory_mb * 2)
        assert placement.place(self.plan).host == roomy

    def test_a_cordoned_host_is_never_chosen(self):
        make_host("two", state=DockerHost.State.CORDONED, memory_mb=10**6)
        assert placement.place(self.plan).host == self.host

    def test_a_host_with_a_problem_is_the_last_choice(self):
        """F32."""
        make_host("two", memory_mb=10**6, problem="does not answer")
        assert placement.place(self.plan).host == self.host

    def test_a_host_with_a_problem_is_still_a_choice(self):
        self.host.note_contact("does not answer")
        assert placement.place(self.plan).host == self.host

    def test_the_budget_is_kept(self):
        """F59, S60."""
        DockerHost.objects.update(memory_mb=self.plan.memory_mb * 2)
        placement.place(self.plan)
        placement.place(self.plan)
        with pytest.raises(errors.NoCapacity):
            placement.place(self.plan)

    def test_the_lowest_free_port_is_leased(self):
        ports = [placement.place(self.plan).port for _ in range(3)]
        assert ports == [20000, 20001, 20002]

    def test_a_port_that_rests_is_not_used(self):
        """F112."""
        placement.place(self.plan).lease.release()
        assert placement.place(self.plan).port == 20001

    def test_a_port_that_has_rested_is_used_again(self):
        placement.place(self.plan).lease.release()
        PortLease.objects.update(resting_until=Now() - timedelta(seconds=1))
        assert placement.place(self.plan).port == 20000

    def test_no_free_port_is_no_capacity(self):
        DockerHost.objects.update(port_min=20000, port_max=20000)
        placement.place(self.plan)
        with pytest.raises(errors.NoCapacity):
            placement.place(self.plan)

    def test_a_host_without_a_free_port_gives_way_to_another(self):
        roomy = make_host("two", memory_mb=10**6, port_min=20000, port_max=20000)
        assert placement.place(self.plan).host == roomy
        assert placement.place(self.plan).host == self.host

    def test_no_host_is_no_capacity(self):
        DockerHost.objects.all().delete()
        with pytest.raises(errors.NoCapacity):
            placement.place(self.plan)


class StandbyTest(DomainTestCase):
    """F59: standbys take what is left over."""

    def setUp(self) -> None:
        super().setUp()
        self.host.memory_mb = self.plan.memory_mb * 2
        self.host.save()
        self.older, self.newer = self.standby(), self.standby()

    def standby(self) -> Container:
        container = placement.place_standby(self.plan)
        assert container.claim()
        container.move("standby", only_from=("starting",), claimed_until=None)
        return container

    def state_of(self, container: Container) -> str:
        return Container.objects.get(pk=container.pk).state

    def test_it_never_displaces_another(self):
        with pytest.raises(errors.NoCapacity):
            placement.place_standby(self.plan)
        assert self.state_of(self.newer) == "standby"

    def test_it_never_goes_where_the_last_contact_failed(self):
        make_host("two", problem="down")
        with pytest.raises(errors.NoCapacity):
            placement.place_standby(self.plan)

    def test_the_newest_gives_way_to_an_instance_and_no_more_than_needed(self):
        placement.check_capacity(self.plan)
        placement.place(self.plan)
        assert self.state_of(self.newer) == "retiring"
        assert self.state_of(self.older) == "standby"
        assert DockerHost.objects.get().reconcile_after is None

    def test_all_give_way_to_a_large_one(self):
        large = make_plan("large", memory_mb=self.host.memory_mb)
        placement.check_capacity(large)
        placement.place(large)
        assert self.state_of(self.newer) == self.state_of(self.older) == "retiring"

    def test_none_gives_way_in_vain(self):
        huge = make_plan("huge", memory_mb=self.host.memory_mb + 1)
        with pytest.raises(errors.NoCapacity):
            placement.check_capacity(huge)
        with pytest.raises(errors.NoCapacity):
            placement.place(huge)
        assert self.state_of(self.newer) == "standby"

    def test_none_gives_way_where_another_host_has_room(self):
        other = make_host("two", memory_mb=self.plan.memory_mb)
        assert placement.place(self.plan).host == other
        assert self.state_of(self.newer) == "standby"

    def test_one_that_is_adopted_meanwhile_does_not_give_way(self):
        for row in (self.older, self.newer):
            row.move("adopting", only_from=("standby",))
        with pytest.raises(errors.NoCapacity):
            placement.place(self.plan)

    def test_one_that_still_starts_gives_way_and_a_provisions_never_does(self):
        self.newer.move("starting", only_from=("standby",))
        self.newer.claim()
        placement.place(self.plan)
        assert self.state_of(self.newer) == "retiring"
        placement.place(self.plan)
        assert self.state_of(self.older) == "retiring"
        with pytest.raises(errors.NoCapacity):
            placement.place(self.plan)


class CheckCapacityTest(DomainTestCase):
    def test_room_is_fine(self):
        placement.check_capacity(self.plan)

    def test_a_plan_larger_than_every_host_is_refused(self):
        """F59: before anything is recorded."""
        with pytest.raises(errors.NoCapacity) as caught:
            placement.check_capacity(make_plan("huge", memory_mb=10**6))
        assert "MiB" in caught.value.detail and "MiB" not in str(caught.value)
