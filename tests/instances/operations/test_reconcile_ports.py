import socket
from datetime import timedelta
from unittest import mock

from django.db.models.functions import Now
from django.test import SimpleTestCase
from django.utils import timezone

from instances.models import (
    AuditEvent,
    Container,
    DockerHost,
    Finding,
    Kind,
    Operation,
    PortLease,
    ServiceInstance,
)
from instances.operations import back_up
from instances.operations.reconcile import observation, ports
from tests.fakes import drain, make_host
from tests.instances.base import ACTOR
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

    def test_one_that_passes_on_to_nobody_is_kept_too(self):
        """Docker's rule is there, and the container's address nobody's."""
        self.machine.silent_ports.add(self.address[1])
        assert self.kinds() == ["kept_port"]

    def test_a_host_that_refuses_nowhere_is_left_alone(self):
        """As behind a firewall, which drops all that comes there."""
        self.machine.is_walled = True
        assert self.kinds() == []

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
        stale.rest_on("something is there")
        taken.refresh_from_db()
        assert taken.container is not None and taken.resting_until is None

    def test_another_host_s_ports_are_its_own(self):
        other = make_host(name="two", url="memory://two")
        PortLease.objects.create(
            host=other, number=self.container.address[1], resting_until=Now()
        )
        assert ports.kept(other) == []


class SilentTest(ReconcileTestCase):
    """F132: Docker says that it publishes a port, and nobody listens there."""

    def setUp(self) -> None:
        super().setUp()
        self.port = self.container.address[1]
        self.machine.lost_ports.add(self.port)

    def pass_after(self, minutes: int) -> None:
        at = timezone.now() + timedelta(minutes=minutes)
        with mock.patch.object(observation, "database_now", return_value=at):
            self.reconcile()

    def restarts(self) -> int:
        return Operation.objects.filter(kind=Kind.RESTART).count()

    def test_it_is_told_and_restarted_after_a_while(self):
        assert self.kinds() == ["silent"]
        self.reconcile()
        assert self.standing() == [("silent", self.row().name)]
        self.pass_after(1)
        assert self.restarts() == 0
        self.pass_after(3)
        assert self.restarts() == 1
        drain()
        assert self.port not in self.machine.lost_ports
        self.assert_quiet()
        audit = AuditEvent.objects.get(action="restart")
        assert audit.actor_kind == "worker" and "nobody listens" in str(audit.changes)

    def test_what_a_restart_does_not_cure_is_restarted_less_and_less_often(self):
        """A server that opens its port late gets its time."""
        self.reconcile()
        restarts = []
        for minute in range(1, 64):
            self.machine.lost_ports.add(self.port)
            self.pass_after(minute)
            drain()
            restarts.append(self.restarts())
        changes = [n for n in range(1, 63) if restarts[n] > restarts[n - 1]]
        assert [minute + 1 for minute in changes] == [2, 6, 14, 30, 62]

    def test_one_that_is_worked_on_or_stopped_is_left_alone(self):
        back_up.accept(self.instance, trigger="operator", actor=ACTOR)
        assert self.kinds() == []
        drain()
        Container.objects.update(stopped_at=Now())
        assert self.kinds() == []

    def test_a_host_that_is_not_reached_says_nothing(self):
        """I13: a time-out is no refusal."""
        self.machine.is_down = True
        assert ports.refusing(self.host, Container.objects.all()) == []

    def test_a_standby_is_replaced(self):
        standby = self.provisioned("i-2").container
        ServiceInstance.objects.filter(container=standby).update(container=None)
        standby.move("standby", only_from=("in_use",))
        self.machine.lost_ports = {standby.port}
        self.reconcile()
        assert not Container.objects.filter(pk=standby.pk, state="standby").exists()


class RealPortTest(SimpleTestCase):
    def test_a_listener_answers_until_it_is_closed(self):
        host = DockerHost(database_host="127.0.0.1")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            found = ports.knock(host, [port])
            assert (found.answering, found.refusing) == ({port}, set())
        found = ports.knock(host, [port])
        assert (found.answering, found.refusing) == (set(), {port})

    def test_many_are_asked_in_turns(self):
        host = DockerHost(database_host="127.0.0.1")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            others = [n for n in range(1024, 1024 + 2 * ports.AT_ONCE) if n != port]
            found = ports.knock(host, [*others, port])
        assert port in found.answering
        assert found.answering | found.refusing == {*others, port}

    def test_a_name_that_nobody_knows_says_nothing(self):
        host = DockerHost(database_host="no-such-host.invalid")
        found = ports.knock(host, [1])
        assert not found.answering and not found.refusing
