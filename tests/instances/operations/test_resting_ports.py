import socket
from datetime import timedelta

from django.db.models.functions import Now
from django.test import SimpleTestCase

from instances.models import DockerHost, Finding, PortLease
from instances.operations.reconcile import resting_ports
from tests.fakes import make_host
from tests.instances.operations.reconcile_base import ReconcileTestCase


class RestingPortTest(ReconcileTestCase):
    """F132: Docker keeps the port of a container that has gone, or another program."""

    def setUp(self) -> None:
        super().setUp()
        second = self.provisioned("i-2")
        self.address = self.world.container_of(second).address
        second.container.retire()
        self.reconcile()
        Finding.objects.all().delete()

    def lease(self) -> PortLease:
        return PortLease.objects.get(number=self.address[1])

    def end_the_rest(self) -> None:
        over = Now() - timedelta(seconds=1)
        PortLease.objects.filter(pk=self.lease().pk).update(resting_until=over)

    def test_one_on_which_nothing_answers_is_given_away_again(self):
        self.assert_quiet()
        self.end_the_rest()
        self.assert_quiet()
        third = self.provisioned("i-3")
        assert self.world.container_of(third).address == self.address

    def test_one_on_which_something_answers_is_told_and_rests_on(self):
        self.machine.strangers.add(self.address)
        self.end_the_rest()
        assert self.kinds() == ["kept_port"]
        self.reconcile()
        assert self.standing() == [("kept_port", f"port {self.address[1]}")]
        third = self.provisioned("i-3")
        assert self.world.container_of(third).address != self.address

    def test_a_docker_that_lets_go_ends_it(self):
        self.machine.strangers.add(self.address)
        self.reconcile()
        self.machine.strangers.clear()
        self.assert_quiet()
        assert self.lease().container is None, "it rests on to its end"

    def test_one_that_is_leased_again_meanwhile_is_left_to_its_owner(self):
        self.machine.strangers.add(self.address)
        stale = self.lease()
        PortLease.objects.filter(pk=stale.pk).delete()
        taken = self.provisioned("i-3").container.lease
        stale.rest_on("something answers there")
        taken.refresh_from_db()
        assert taken.container is not None and taken.resting_until is None

    def test_another_host_s_ports_are_its_own(self):
        other = make_host(name="two", url="memory://two")
        PortLease.objects.create(
            host=other, number=self.container.address[1], resting_until=Now()
        )
        assert resting_ports.answering(other) == []


class RealPortTest(SimpleTestCase):
    def test_a_listener_answers_until_it_is_closed(self):
        host = DockerHost(database_host="127.0.0.1")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert resting_ports.answers(host, port)
        assert not resting_ports.answers(host, port)

    def test_a_name_that_nobody_knows_answers_nothing(self):
        host = DockerHost(database_host="no-such-host.invalid")
        assert not resting_ports.answers(host, 1)
