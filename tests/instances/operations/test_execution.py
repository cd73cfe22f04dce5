from datetime import timedelta

from django.db.models.functions import Now

from instances import errors
from instances.models import Operation
from instances.operations.execution import run, run_now, web_owner
from tests.fakes import WORKER, claim, drain, expire_leases
from tests.instances.base import DomainTestCase


class RunTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.operation = self.provision_operation()

    def reload(self) -> Operation:
        return Operation.objects.get(pk=self.operation.pk)

    def test_a_transient_error_waits_longer_each_time(self):
        """F26: backoff."""
        waits = []
        for _ in range(4):
            self.faults.on("create", errors.HostUnreachable())
            run(self.operation)
            row = self.reload()
            due = Now() + timedelta(seconds=2 ** len(waits) - 0.5)
            waits.append(Operation.objects.filter(not_before__gt=due).exists())
            assert row.state == "queued"
            self.operation = claim(row)
        assert all(waits)

    def test_both_audiences_see_why_it_waits(self):
        self.faults.on("create", errors.HostUnreachable(detail="tcp://x: refused"))
        run(self.operation)
        row = self.reload()
        assert row.error == errors.Transient.message
        assert row.detail == "tcp://x: refused"

    def test_what_another_try_would_only_repeat_fails_at_once(self):
        self.faults.on("create", errors.ImageMissing())
        run(self.operation)
        assert self.reload().state == "failed"

    def test_a_bug_tells_the_user_nothing_of_the_inside(self):
        """S42."""
        self.faults.on("create", ValueError("secret inside"))
        with self.assertLogs("instances.operations.execution", "ERROR"):
            run(self.operation)
        row = self.reload()
        assert row.error == errors.BrokerError.message
        assert "secret inside" in row.detail

    def test_the_deadline_ends_it(self):
        """F18, I8."""
        self.faults.on("create", errors.HostUnreachable())
        run(self.operation)
        Operation.objects.update(deadline_at=Now() - timedelta(seconds=1))
        drain()
        row = self.reload()
        assert row.state == "failed"
        assert row.error == errors.Transient.message
        self.assert_nothing_is_left()

    def test_a_process_that_stops_hands_it_back_at_the_next_step(self):
        """F28: resumable, not failed."""
        self.faults.on("create", self.stop)
        self.stopping = False
        run(self.operation, is_stopping=lambda: self.stopping)
        row = self.reload()
        assert (row.state, row.owner, row.error) == ("queued", "", "")
        assert "start" not in self.faults.calls
        drain()
        assert self.reload().state == "succeeded"

    def stop(self) -> None:
        self.stopping = True

    def test_handing_back_often_is_not_failing(self):
        """F28: deploys during one provision are no reason to fail it."""
        for _ in range(4):
            run(self.operation, is_stopping=lambda: True)
            self.operation = claim(self.reload())
        run(self.operation)
        assert self.reload().state == "succeeded"

    def test_a_late_attempt_removes_what_it_made(self):
        """F24."""
        self.faults.on("create", self.delete_instance)
        run(self.operation)
        assert self.world.containers() == []

    def delete_instance(self) -> None:
        run(claim(self.accept_deprovision(self.operation.instance)))

    def test_a_taken_over_attempt_leaves_the_container_to_its_successor(self):
        """F24."""
        self.faults.on("start", self.take_over)
        run(self.operation)
        assert self.reload().state == "succeeded"
        assert len(self.world.containers()) == 1

    def take_over(self) -> None:
        expire_leases()
        run(Operation.objects.claim_next("worker-other-0"))


class RunNowTest(DomainTestCase):
    def test_the_row_is_read_again(self):
        operation = self.provision_operation()
        assert run_now(operation).finished_at is not None

    def test_owners_of_two_threads_differ(self):
        assert web_owner() != WORKER and "web-" in web_owner()
