from datetime import timedelta
from unittest import mock

from django.db.models.functions import Now

from instances import errors
from instances.admin.glance import glance
from instances.models import (
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import standby
from instances.operations.execution import run_now
from instances.operations.reconcile import reconcile
from instances.operations.standby import Standbys
from tests.fakes import AFTER, IMAGE, drain, make_host
from tests.instances.base import DomainTestCase

ADOPTER = "web-test-1"
READING = {"list", "find", "describe", "logs", "check", "leftovers"}


def expire_claims() -> None:
    """As if every worker that starts one had been dead for long."""
    Container.objects.filter(claimed_until__isnull=False).update(
        claimed_until=Now() - timedelta(seconds=1)
    )


class StandbyTestCase(DomainTestCase):
    """A plan that keeps two."""

    def setUp(self) -> None:
        super().setUp()
        self.change_plan(standby=2)

    def change_plan(self, **fields: object) -> None:
        ServicePlan.objects.update(**fields)
        self.plan.refresh_from_db()

    def replenish(self) -> None:
        """What a worker does until nothing is missing, and what reconciles after it."""
        standbys = Standbys()
        while standbys.replenish():
            pass
        for host in DockerHost.objects.filter(reconcile_after=None):
            reconcile(host)

    def names(self, state: str = "standby") -> set[str]:
        return {row.name for row in Container.objects.filter(state=state)}

    def adopted(self, guid: str = "i-1", **changes: object) -> Operation:
        """Accepted as the platform's request does, and run as far as that goes."""
        operation = self.accept_provision(
            guid, adopter=ADOPTER, **changes
        ).operations.get()
        return run_now(operation, once=False) if operation.owner else operation

    def assert_in_step(self) -> None:
        """I1, I2."""
        rows = Container.objects.exclude(state="gone")
        assert {row.name for row in rows} == {
            container.spec.name for container in self.world.containers()
        }
        leased = PortLease.objects.filter(container__isnull=False)
        assert {lease.container_id for lease in leased} == {row.pk for row in rows}
        for row in rows:
            container = self.world.at(row.host.url).containers[row.name]
            assert container.address == (row.host.publish_address, row.port)


class ReplenishTest(StandbyTestCase):
    def test_as_many_as_the_plan_wants_are_started(self):
        self.replenish()
        assert len(self.names()) == 2
        assert all(c.state == "running" for c in self.world.containers())
        assert not any(c.databases for c in self.world.containers())
        self.assert_in_step()

    def test_a_quiet_pass_changes_nothing_and_is_cheap(self):
        """I15."""
        self.replenish()
        self.faults.calls.clear()
        with self.assertNumQueries(2):
            assert not Standbys().replenish()
        reconcile(self.host)
        assert set(self.faults.calls) <= READING

    def test_without_standbys_it_asks_next_to_nothing(self):
        self.change_plan(standby=0)
        with self.assertNumQueries(2):
            assert not Standbys().replenish()

    def test_the_surplus_goes_the_newest_first(self):
        self.replenish()
        oldest = Container.objects.order_by("created_at").first()
        self.change_plan(standby=1)
        self.replenish()
        assert self.names() == {oldest.name}
        self.assert_in_step()

    def test_none_is_wanted_once_plan_offering_or_host_is_withdrawn(self):
        for rows, field, value, before in (
            (ServicePlan.objects, "standby", 0, 2),
            (ServicePlan.objects, "active", False, True),
            (ServiceOffering.objects, "active", False, True),
            (DockerHost.objects, "state", "cordoned", "active"),
        ):
            with self.subTest(field):
                self.replenish()
                assert len(self.names()) == 2
                rows.update(**{field: value})
                self.replenish()
                assert self.names() == set()
                self.assert_nothing_is_left()
                rows.update(**{field: before})

    def test_one_that_is_not_as_the_plan_is_today_is_replaced(self):
        """F65."""
        other = "brokersite/mariadb:10.11.2-2"
        self.world.machine.images.add(other)
        for changes in ({"image": other}, {"memory_mb": 512}, {"cpus": 2}):
            self.replenish()
            former = self.names()
            self.change_plan(**changes)
            self.replenish()
            assert len(self.names()) == 2 and not self.names() & former
        self.assert_in_step()

    def test_what_cannot_be_started_goes_and_the_plan_has_a_pause(self):
        for fault, error in (
            ("create", errors.HostUnreachable()),
            ("create", errors.ImageMissing()),
            ("start", errors.ContainerFailed()),
        ):
            with self.subTest(fault), self.assertLogs("instances", "WARNING"):
                standbys = Standbys()
                self.faults.on(fault, error)
                assert standbys.replenish()
                assert self.names("retiring") and not standbys.replenish()
                DockerHost.objects.update(problem="")
                reconcile(self.host)
                self.assert_nothing_is_left()
        with mock.patch.object(standby, "PAUSE_S", -1):
            standbys._pause(self.plan, errors.BrokerError())
        assert standbys.replenish()

    def test_one_that_never_answers_goes(self):
        """F60."""
        self.world.machine.failing_images[IMAGE] = 64
        with self.assertLogs("instances.operations.standby", "WARNING") as logged:
            Standbys().replenish()
        assert "exit code 64" in logged.output[0]
        assert not self.names() and len(self.names("retiring")) == 1

    def test_a_port_of_a_stranger_is_left_for_another(self):
        """F54."""
        self.world.machine.strangers.add((self.host.publish_address, 20000))
        self.replenish()
        assert {row.port for row in Container.objects.all()} == {20001, 20002}
        self.assert_in_step()

    def test_no_room_is_no_error(self):
        DockerHost.objects.update(memory_mb=self.plan.memory_mb)
        self.replenish()
        assert len(self.names()) == 1
        self.assert_in_step()

    def test_a_stopping_worker_leaves_it_to_another(self):
        """F28."""
        stopping: list[bool] = []
        self.faults.on("start", lambda: stopping.append(True), moment=AFTER)
        Standbys(is_stopping=lambda: bool(stopping)).replenish()
        assert not self.names() and len(self.names("starting")) == 1
        self.replenish()
        assert len(self.names()) == 2
        assert len(self.world.containers()) == 2

    def test_two_workers_do_not_start_too_many(self):
        """A second one at each step of the first."""
        for call in ("create", "start", "check"):
            self.faults.on(call, Standbys().replenish)
        self.replenish()
        assert len(self.names()) == Container.objects.count() == 2

    def test_one_retired_while_it_starts_is_removed_at_once(self):
        self.faults.on("check", self.retire_all, moment=AFTER)
        with self.assertLogs("instances", "WARNING"):
            Standbys().replenish()
        self.assert_nothing_is_left()

    def retire_all(self) -> None:
        for row in Container.objects.standbys():
            assert row.dismiss()


class WaitingTest(StandbyTestCase):
    """What happens to a standby while nobody needs it."""

    def setUp(self) -> None:
        super().setUp()
        self.replenish()

    def test_a_stopped_one_is_started_again(self):
        """F40."""
        container = self.world.containers()[0]
        container.state = "exited"
        reconcile(self.host)
        assert container.state == "running" and len(self.names()) == 2

    def test_one_that_is_gone_or_does_not_start_is_replaced(self):
        gone, blocked = self.world.containers()
        self.world.machine.containers.pop(gone.spec.name)
        blocked.state = "exited"
        self.world.machine.strangers.add(blocked.address)
        with self.assertLogs("instances", "WARNING"):
            reconcile(self.host)
        self.replenish()
        assert len(self.names()) == 2
        assert not self.names() & {gone.spec.name, blocked.spec.name}
        self.assert_in_step()

    def test_the_console_shows_how_many_are_ready(self):
        self.change_plan(standby=3)
        (fact,) = [fact for fact in glance() if "standby" in fact.label]
        assert (fact.number, fact.tone) == (2, "busy")
        assert fact.label == "of 3 standby containers ready"

    def test_it_makes_room_for_an_instance(self):
        """F59."""
        DockerHost.objects.update(memory_mb=2 * self.plan.memory_mb)
        self.provisioned()
        assert len(self.names()) == len(self.names("retiring")) == 1
        self.replenish()
        assert len(self.names()) == 1
        self.assert_in_step()

    def test_one_on_a_host_that_fails_stays_and_another_host_serves(self):
        make_host("two")
        self.world.machine.is_down = True
        self.host.note_contact("down")
        self.replenish_on_second()
        assert self.adopted().state == "queued"
        drain()
        assert ServiceInstance.objects.get().state == "ready"

    def replenish_on_second(self) -> None:
        assert not Standbys().replenish()
        assert len(self.names()) == 2
