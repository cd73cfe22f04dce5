import uuid
from datetime import datetime, timedelta, tzinfo
from unittest import mock

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors
from instances.models import Kind, Operation
from tests.fakes import WORKER, claim, expire_leases
from tests.instances.base import ACTOR, DomainTestCase


class OperationTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.accept_provision()
        self.operation = self.instance.operations.get()

    def copy(self, **changes: object) -> Operation:
        """An unsaved operation on the same instance."""
        fields = {
            "kind": Kind.DEPROVISION,
            "instance": self.instance,
            "deadline_at": timezone.now(),
        }
        return Operation(id=uuid.uuid4(), **{**fields, **changes})

    def reload(self) -> Operation:
        return Operation.objects.get(pk=self.operation.pk)


class Ahead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(hours=1)


class LaterReleaseTest(OperationTestCase):
    def test_a_kind_that_this_release_does_not_know_is_left_to_the_other(self):
        """F122."""
        Operation.objects.update(kind="of a later one")
        assert Operation.objects.claim_next(WORKER) is None
        assert Operation.objects.claim_next(WORKER, except_on=[0]) is None
        Operation.objects.update(kind=Kind.PROVISION)
        assert Operation.objects.claim_next(WORKER) == self.operation


class ConstraintTest(OperationTestCase):
    """The database itself refuses, whatever the code above it does."""

    def test_one_unfinished_exclusive_operation_per_instance(self):
        """F11, F23."""
        with pytest.raises(IntegrityError), transaction.atomic():
            self.copy(exclusive_instance=self.instance).save()

    def test_one_unfinished_operation_per_binding(self):
        """F69."""
        claim(self.operation).succeed()
        self.instance.state = "ready"
        self.instance.save()
        binding, _ = self.accept_bind(self.instance)
        with pytest.raises(IntegrityError), transaction.atomic():
            self.copy(kind=Kind.UNBIND, exclusive_binding=binding).save()

    def test_any_number_of_finished_ones(self):
        for _ in range(3):
            self.copy(state="succeeded").save()

    def test_a_second_exclusive_operation_is_a_concurrency_error(self):
        with pytest.raises(errors.ConcurrencyError):
            Operation.objects.enqueue(Kind.DEPROVISION, self.instance, actor=ACTOR)

    def test_a_finished_operation_lets_the_next_one_in(self):
        claim(self.operation).succeed()
        Operation.objects.enqueue(Kind.DEPROVISION, self.instance, actor=ACTOR)


class ClaimTest(OperationTestCase):
    def test_the_first_claim_wins(self):
        """F23."""
        first, second = self.reload(), claim(self.operation)
        assert not first.claim("worker-other-0")
        assert self.reload().owner == second.owner == WORKER

    def test_a_claim_starts_a_lease_and_counts_the_attempt(self):
        operation = claim(self.operation)
        assert (operation.state, operation.attempts) == ("running", 1)
        assert operation.leased_until > timezone.now() + timedelta(seconds=20)

    def test_a_leased_operation_is_not_offered(self):
        claim(self.operation)
        assert Operation.objects.claim_next("worker-other-0") is None

    def test_an_expired_lease_is_taken_over(self):
        """F22."""
        claim(self.operation)
        expire_leases()
        taken = Operation.objects.claim_next("worker-other-0")
        assert taken is not None and taken.pk == self.operation.pk
        assert (taken.owner, taken.attempts) == ("worker-other-0", 2)

    def test_what_is_not_due_waits(self):
        later = Now() + timedelta(hours=1)
        Operation.objects.update(not_before=later)
        assert Operation.objects.claim_next(WORKER) is None

    def test_what_is_not_due_can_be_claimed_on_purpose(self):
        Operation.objects.update(not_before=Now() + timedelta(hours=1))
        assert self.reload().claim(WORKER, even_waiting=True)

    def test_what_is_running_cannot_be_claimed_even_on_purpose(self):
        claim(self.operation)
        assert not self.reload().claim("worker-other-0", even_waiting=True)

    def test_what_is_finished_is_never_claimed(self):
        claim(self.operation).succeed()
        assert Operation.objects.claim_next(WORKER) is None

    def test_deletions_go_first(self):
        """F27."""
        for number in range(3):
            self.accept_provision(f"i-more-{number}")
        deletion = self.accept_deprovision(self.instance)
        Operation.objects.unfinished().update(not_before=Now() - timedelta(hours=1))
        assert Operation.objects.claim_next(WORKER).pk == deletion.pk

    def test_the_oldest_goes_first(self):
        self.accept_provision("i-2")
        Operation.objects.update(not_before=Now() - timedelta(hours=1))
        assert Operation.objects.claim_next(WORKER).pk == self.operation.pk

    def test_a_web_process_whose_clock_is_ahead_delays_nothing(self):
        """F25: the database's clock decides what is due."""
        with mock.patch("django.utils.timezone.datetime", Ahead):
            instance = self.accept_provision("i-ahead")
        due = Operation.objects.filter(not_before__lte=Now() + timedelta(seconds=1))
        assert due.filter(instance=instance).exists()


class FenceTest(OperationTestCase):
    """F24: whoever has lost the lease writes nothing any more."""

    def setUp(self) -> None:
        super().setUp()
        self.former = claim(self.operation)

    def taken_over(self) -> Operation:
        expire_leases()
        taken = Operation.objects.claim_next("worker-other-0")
        assert taken is not None
        return taken

    def test_every_write_of_a_former_owner_is_refused(self):
        self.taken_over()
        error = errors.BrokerError("late")
        writes = [
            self.former.hold,
            self.former.succeed,
            lambda: self.former.note("late"),
            lambda: self.former.fail(error),
            lambda: self.former.retry_later(error, delay_s=1),
        ]
        for write in writes:
            with pytest.raises(errors.LeaseLost):
                write()
        row = self.reload()
        assert (row.state, row.owner, row.steps) == ("running", "worker-other-0", [])

    def test_the_same_owner_in_a_later_attempt_is_another_one(self):
        expire_leases()
        assert self.reload().claim(WORKER)
        with pytest.raises(errors.LeaseLost):
            self.former.note("late")

    def test_an_expired_lease_that_nobody_took_still_writes(self):
        expire_leases()
        self.former.note("slow, but the only one")
        assert self.reload().leased_until > timezone.now()

    def test_a_cancelled_operation_cannot_be_written(self):
        """F12."""
        self.instance.operations.all().cancel("deleted meanwhile")
        with pytest.raises(errors.LeaseLost):
            self.former.succeed()
        row = self.reload()
        assert (row.state, row.error) == ("cancelled", "deleted meanwhile")

    def test_cancelling_leaves_finished_ones_alone(self):
        self.former.succeed()
        assert self.instance.operations.all().cancel("too late") == 0
        assert self.reload().state == "succeeded"


class OutcomeTest(OperationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.operation = claim(self.operation)

    def test_success_ends_it_and_forgets_former_errors(self):
        Operation.objects.update(error="once", detail="once")
        self.operation.succeed()
        row = self.reload()
        assert (row.state, row.error, row.exclusive_instance) == ("succeeded", "", None)
        assert row.finished_at is not None and row.leased_until is None

    def test_failure_keeps_a_sentence_for_each_audience(self):
        self.operation.fail(errors.NoCapacity(detail="no host has 256 MiB"))
        row = self.reload()
        assert row.error == errors.NoCapacity.message
        assert row.detail == "no host has 256 MiB"

    def test_a_retry_waits_and_keeps_its_place(self):
        self.operation.retry_later(errors.HostUnreachable(), delay_s=60)
        row = self.reload()
        assert (row.state, row.owner) == ("queued", "")
        assert row.not_before > timezone.now() + timedelta(seconds=50)
        assert row.exclusive_instance == self.instance

    def test_steps_are_kept_in_order(self):
        self.operation.note("first")
        self.operation.note("second")
        assert [step["text"] for step in self.reload().steps] == ["first", "second"]

    def test_release_hands_back_what_the_owner_runs(self):
        """F28."""
        assert Operation.objects.release(WORKER) == 1
        row = self.reload()
        assert (row.state, row.owner, row.error) == ("queued", "", "")

    def test_release_leaves_other_owners_alone(self):
        assert Operation.objects.release("worker-other-0") == 0

    def test_renew_prolongs_the_owners_leases(self):
        expire_leases()
        assert Operation.objects.renew(WORKER) == 1
        assert self.reload().leased_until > timezone.now()

    def test_renew_does_not_reach_beyond_the_deadline(self):
        """F29: a thread that hangs for ever loses its operation."""
        Operation.objects.update(deadline_at=Now() - timedelta(seconds=1))
        assert Operation.objects.renew(WORKER) == 0

    def test_the_deadline_is_before_the_platform_gives_up(self):
        """F18."""
        allowed = self.operation.deadline_at - self.operation.created_at
        assert allowed < timedelta(seconds=self.plan.maximum_polling_duration - 30)
