"""Users that a database still has although nothing accounts for them any more."""

from datetime import UTC, datetime, timedelta
from unittest import mock

from django.utils import timezone

from instances import errors
from instances.engines import User, new_secret
from instances.models import Finding, Kind, Operation, ServiceBinding, ServiceInstance
from instances.operations import ghosts, hosts, swap
from instances.operations.execution import run
from instances.operations.reconcile import observation, reconcile
from tests.fakes import AFTER, BEFORE, claim, drain
from tests.instances.base import ACTOR, DomainTestCase


class SweepTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)

    def sweep(self) -> None:
        reconcile(self.host, is_full=True)

    def users(self) -> list[str]:
        return self.world.users_of(self.instance)

    def add_user(self, name: str) -> None:
        user = User(name, new_secret(), self.instance.database, connections=1)
        endpoint = hosts.endpoint(self.instance.container)
        self.world.engine.create_user(endpoint, user)

    def mark(self, *, ended: bool) -> str:
        operation = Operation.objects.enqueue(Kind.UPDATE, self.instance, actor=ACTOR)
        if ended:
            Operation.objects.filter(pk=operation.pk).cancel("given up")
        self.add_user(swap.mark_of(operation))
        return swap.mark_of(operation)

    def test_users_of_bindings_stay(self):
        self.sweep()
        assert self.users() == [self.binding.username]

    def test_one_that_is_unbound_goes(self):
        run(self.accept_unbind(self.instance))
        self.add_user(self.binding.username)
        self.sweep()
        assert self.users() == []

    def test_one_that_is_missing_is_made_again_with_its_password(self):
        """I4, I6: somebody has dropped it by hand."""
        self.world.container_of(self.instance).users.clear()
        self.sweep()
        assert self.users() == []
        drain()
        assert self.users() == [self.binding.username]
        self.log_in(self.binding)
        assert self.instance.operations.first().kind == "recreate_user"
        self.sweep()
        assert not Finding.objects.exists()

    def test_an_unbind_overtakes_one_that_is_made_again(self):
        """I5, F68: the late create is undone."""
        self.world.container_of(self.instance).users.clear()
        self.sweep()
        operation = claim(Operation.objects.get(kind="recreate_user"))
        unbinds = []
        self.faults.on(
            "create_user", lambda: unbinds.append(self.accept_unbind(self.instance))
        )
        run(operation)
        for unbind in unbinds:
            run(unbind)
        assert self.users() == []
        operation.refresh_from_db()
        assert operation.state == "cancelled"

    def test_one_that_has_expired_is_not_made_again(self):
        ServiceBinding.objects.update(expires_at=timezone.now())
        self.world.container_of(self.instance).users.clear()
        self.sweep()
        assert not Operation.objects.filter(kind="recreate_user").exists()

    def test_a_mark_goes_with_its_swap(self):
        self.mark(ended=True)
        self.sweep()
        assert self.users() == [self.binding.username]

    def test_a_mark_stays_while_the_swap_is_under_way(self):
        mark = self.mark(ended=False)
        self.sweep()
        assert mark in self.users()

    def test_a_user_without_a_row_is_left_alone_and_reported(self):
        """F120: our rows may be an older copy."""
        stranger = f"u{'0' * 24}"
        self.add_user(stranger)
        self.sweep()
        assert stranger in self.users()
        finding = Finding.objects.get()
        assert (finding.kind, finding.text) == ("unknown_user", stranger)

    def test_binds_and_unbinds_under_way_are_not_disturbed(self):
        for moment in (BEFORE, AFTER):
            self.faults.on("create_user", self.sweep, moment=moment)
            binding = self.bound(self.instance, f"b-{moment}")
            assert binding.username in self.users()
            self.faults.on("drop_user", self.sweep, moment=moment)
            run(self.accept_unbind(self.instance, f"b-{moment}"))
            assert self.users() == [self.binding.username]

    def test_a_container_that_no_ready_instance_has_is_not_asked(self):
        ServiceInstance.objects.update(state=ServiceInstance.State.DEPROVISIONING)
        self.world.engine.users = mock.Mock(side_effect=AssertionError)
        self.sweep()


class ReconcileTest(SweepTest):
    """The same, by the ordinary passes within a period."""

    def sweep(self) -> None:
        start = timezone.now()
        for minute in range(ghosts.PERIOD_MIN):
            now = start + timedelta(minutes=minute)
            with mock.patch.object(observation, "database_now", return_value=now):
                reconcile(self.host)

    def test_a_container_is_asked_once_in_each_period(self):
        row, start = self.instance.container, datetime(2026, 11, 22, tzinfo=UTC)
        moments = [
            start + timedelta(minutes=number) for number in range(3 * ghosts.PERIOD_MIN)
        ]
        assert sum(ghosts.is_due(row, moment) for moment in moments) == 3

    def test_a_database_that_is_down_does_not_end_the_pass(self):
        with mock.patch.object(
            ghosts, "look", side_effect=errors.EngineUnreachable
        ) as asked:
            self.sweep()
        assert asked.called
        assert self.users() == [self.binding.username]
