from collections import Counter
from datetime import timedelta
from unittest import mock

import pytest
from django.db.models.functions import Now

from instances import containers, errors, placement
from instances.models import Container, DockerHost, Operation, PortLease
from instances.operations.reconcile import reconcile
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


class LabelsTest(DomainTestCase):
    def test_only_a_host_with_all_labels_gets_it(self):
        make_host("two", memory_mb=10**6, labels="ssd")
        both = make_host("three", labels="zone=a ssd fast")
        picky = make_plan("picky", host_labels="ssd zone=a")
        assert placement.place(picky).host == both

    def test_without_such_a_host_the_reason_is_told(self):
        picky = make_plan("picky", host_labels="ssd zone=a")
        with pytest.raises(errors.NoCapacity) as caught:
            placement.place(picky)
        assert "one: has no label ssd zone=a" in caught.value.detail


class PreferencesTest(DomainTestCase):
    def test_a_host_known_to_lack_the_image_comes_after_one_that_has_it(self):
        make_host("two", memory_mb=10**6, present_images=[])
        assert placement.place(self.plan).host == self.host

    def test_what_is_there_is_known_from_the_last_pass(self):
        reconcile(self.host)
        assert DockerHost.objects.get().present_images == [self.plan.image]
        self.world.machine.images.clear()
        reconcile(self.host)
        assert DockerHost.objects.get().present_images == []

    def test_a_host_whose_breaker_is_open_is_the_last_choice(self):
        """I13: in this process, before any row says so."""
        other = make_host("two", memory_mb=10**6)
        with mock.patch.object(containers, "is_failing", lambda url: url == other.url):
            assert placement.place(self.plan).host == self.host

    def test_a_host_without_ports_is_none(self):
        make_host("two", memory_mb=10**6, port_min=20000, port_max=20000)
        first, second = placement.place(self.plan), placement.place(self.plan)
        assert (first.host.name, second.host) == ("two", self.host)

    def test_another_engine_is_never_chosen(self):
        """F44."""
        make_host("two", memory_mb=10**6, other_engine_id="another")
        assert placement.place(self.plan).host == self.host

    def test_the_operation_says_why_there(self):
        make_host("two", state=DockerHost.State.CORDONED)
        self.provisioned()
        [why] = [s["why"] for s in Operation.objects.get().steps if "why" in s]
        assert why.startswith("one: 16384 of 16384 MiB free, 100 free ports")
        assert "not two (Cordoned)" in why


class RehearseTest(DomainTestCase):
    def test_it_is_what_placement_does(self):
        make_host("two", memory_mb=self.host.memory_mb // 2)
        foreseen, _ = placement.rehearse(self.plan, 80)
        assert not Container.objects.exists()
        done = Counter(placement.place(self.plan).host_id for _ in range(80))
        assert foreseen == done and len(done) == 2

    def test_what_has_no_room_is_left_over(self):
        DockerHost.objects.update(memory_mb=self.plan.memory_mb * 3)
        placed, rooms = placement.rehearse(self.plan, 20)
        assert placed.total() == 3
        assert "MiB free" in rooms[0].refusal(self.plan)


class CheckCapacityTest(DomainTestCase):
    def test_room_is_fine(self):
        placement.check_capacity(self.plan)

    def test_a_plan_larger_than_every_host_is_refused(self):
        """F59: before anything is recorded."""
        with pytest.raises(errors.NoCapacity) as caught:
            placement.check_capacity(make_plan("huge", memory_mb=10**6))
        assert "MiB" in caught.value.detail and "MiB" not in str(caught.value)
