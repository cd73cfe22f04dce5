"""What a container has become beside its row, and what it owes when it comes back."""

from dataclasses import replace
from datetime import timedelta
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from instances import errors
from instances.models import Container, Finding, Operation
from instances.operations import ghosts
from instances.operations.reconcile import observation, reconcile
from tests.fakes import AFTER, Crash, drain
from tests.instances.base import ACTOR
from tests.instances.operations.reconcile_base import ReconcileTestCase


class DriftTest(ReconcileTestCase):
    """F51, F81: what was changed by hand."""

    def change(self, **fields) -> None:
        self.container.spec = replace(self.container.spec, **fields)

    def test_limits_are_set_back_in_place(self):
        before = self.container.spec
        for fields in ({"memory_mb": 64}, {"cpus": 0.25}, {"pids": 7}):
            self.change(**fields)
            assert self.kinds() == ["limits"]
            self.reconcile()
            assert self.container.spec == before
        self.assert_quiet()

    def test_the_restart_policy_is_set_back(self):
        self.container.restarts = False
        self.reconcile()
        assert self.container.restarts
        self.assert_quiet()

    def test_one_stopped_for_its_disk_stays_so(self):
        """Docker must not start it again, nor this."""
        Container.objects.update(disk_state="stopped")
        self.container.restarts, self.container.state = False, "exited"
        self.assert_quiet()

    def test_limits_that_cannot_be_set_back_are_told(self):
        self.change(memory_mb=9999)
        self.faults.on("limit", errors.HostRefused(detail="it uses more"))
        self.reconcile()
        finding = Finding.objects.get()
        assert (finding.kind, finding.text) == ("limits", "it uses more")
        reconcile(self.host)  # It may not be its turn.
        self.reconcile()
        self.assert_quiet()

    def test_one_that_is_worked_on_is_left_alone(self):
        """F30: an update writes the row first."""
        self.change(memory_mb=64)
        Operation.objects.enqueue("back_up", self.instance, actor=ACTOR)
        assert self.kinds() == []

    def test_another_port_is_told(self):
        self.change(publish_port=20077)
        self.reconcile()
        assert self.standing() == [("port", self.row().name)]
        assert "20077 and not" in Finding.objects.get().text

    def test_another_image_is_told(self):
        self.change(image="other:1")
        self.reconcile()
        assert self.standing() == [("image", self.row().name)]

    def test_an_image_whose_name_has_moved_on_is_no_drift(self):
        """F47: Docker says the id then."""
        self.change(image=self.container.image_id)
        self.assert_quiet()

    def test_only_some_are_looked_at_closely_in_a_pass(self):
        self.change(memory_mb=64)
        now = timezone.now()
        found = 0
        for minute in range(5):
            at = now + timedelta(minutes=minute)
            self.faults.calls.clear()
            with mock.patch.object(observation, "database_now", return_value=at):
                reconcile(self.host)
            found += "limit" in self.faults.calls
        assert found == 1

    def test_a_wedged_one_is_told_and_does_not_keep_the_others(self):
        """F46, I13."""
        other = self.world.container_of(self.provisioned("i-2"))
        other.spec = replace(other.spec, memory_mb=64)
        self.change(memory_mb=64)
        self.faults.on("find", errors.HostUnreachable(detail="no answer in time"))
        self.reconcile()
        assert [kind for kind, _ in self.standing()] == ["wedged"]
        self.reconcile()
        self.assert_quiet()


class DebtTest(ReconcileTestCase):
    """F71, I5: what was unbound while the database did not run."""

    def setUp(self) -> None:
        super().setUp()
        self.binding = self.bound(self.instance)
        self.other = self.bound(self.instance, "b-2")

    def test_users_are_dropped_before_anything_else_after_the_start(self):
        self.container.state = "exited"
        self.accept_unbind(self.instance, "b-1", owner="")
        self.faults.calls.clear()
        self.reconcile()
        calls = self.faults.calls
        assert calls[calls.index("start") + 1] == "drop_user"
        assert self.world.users_of(self.instance) == [self.other.username]
        drain()
        self.binding.refresh_from_db()
        assert self.binding.state == "gone"

    def test_a_crash_after_the_start_leaves_it_to_the_unbind(self):
        self.container.state = "exited"
        self.accept_unbind(self.instance, "b-1", owner="")
        self.faults.on("start", Crash(), moment=AFTER)
        with self.assertRaises(Crash):
            self.reconcile()
        drain()
        assert self.world.users_of(self.instance) == [self.other.username]

    def test_one_that_expired_is_dropped_too(self):
        self.container.state = "exited"
        type(self.binding).objects.filter(pk=self.binding.pk).update(state="expired")
        self.reconcile()
        assert self.world.users_of(self.instance) == [self.other.username]


class SyncTest(ReconcileTestCase):
    def test_a_finding_changes_with_what_is_so(self):
        self.put("unknown", state="running")
        self.reconcile()
        before = Finding.objects.get()
        self.machine.containers["unknown"].state = "exited"
        self.reconcile()
        after = Finding.objects.get()
        assert after.details["state"] == "exited"
        assert (after.pk, after.found_at) == (before.pk, before.found_at)

    def test_neither_queries_nor_calls_depend_on_the_number_of_containers(self):
        """I13; those whose turn it is apart."""
        with mock.patch.object(observation, "_is_turn", return_value=False):
            with mock.patch.object(ghosts, "is_due", return_value=False):
                reconcile(self.host)
                before = self.counted()
                for number in range(2, 6):
                    self.provisioned(f"i-{number}")
                assert self.counted() == before

    def counted(self) -> tuple[int, list[str]]:
        self.faults.calls.clear()
        with CaptureQueriesContext(connection) as queries:
            reconcile(self.host)
        return len(queries), list(self.faults.calls)
