from datetime import timedelta
from unittest import mock

from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Metric

from instances.metrics import operations
from instances.metrics.operations import Tally, history
from instances.models import Operation
from tests.instances.base import DomainTestCase


class OperationsCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        history.clear()
        self.addCleanup(history.clear)

    def ended(self, number: int = 1, *, ago: timedelta = timedelta(), **fields):
        """Operations that have ended, of one instance."""
        instance = getattr(self, "instance", None) or self.accept_provision("old")
        self.instance = instance
        moment = timezone.now() - ago
        defaults = {
            "kind": "bind",
            "state": "succeeded",
            "deadline_at": moment,
            "finished_at": moment,
        }
        rows = [
            Operation(instance=instance, **{**defaults, **fields})
            for _ in range(number)
        ]
        Operation.objects.bulk_create(rows)
        took = fields.pop("took", timedelta(seconds=1))
        Operation.objects.filter(pk__in=[row.pk for row in rows]).update(
            created_at=moment - took
        )

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        metrics: list[Metric] = list(operations.collect())
        return {
            tuple(sample.labels.values()): sample.value
            for metric in metrics
            for sample in metric.samples
            if sample.name == f"brokersite_{name}"
        }


class EndedTest(OperationsCase):
    def test_they_are_counted_by_kind_and_result(self):
        self.ended(3)
        self.ended(2, kind="back_up", state="failed")
        found = self.samples("operations_total")
        assert found["bind", "succeeded"] == 3
        assert found["back_up", "failed"] == 2
        assert found["restore", "cancelled"] == 0

    def test_durations_are_cumulative(self):
        self.ended()
        Operation.objects.filter(kind="bind").update(
            created_at=Now() - timedelta(seconds=20), finished_at=Now()
        )
        self.ended(2)
        found = self.samples("operation_duration_seconds_bucket")
        assert found["bind", "0.5"] == 0
        assert found["bind", "1.0"] == 2
        assert found["bind", "10.0"] == 2
        assert found["bind", "30.0"] == found["bind", "+Inf"] == 3
        assert self.samples("operation_duration_seconds_count")["bind",] == 3
        total = self.samples("operation_duration_seconds_sum")["bind",]
        assert 21.5 < total < 22.5

    def test_a_cancelled_one_took_no_time(self):
        self.ended(state="cancelled")
        assert self.samples("operation_duration_seconds_count")["bind",] == 0
        assert self.samples("operations_total")["bind", "cancelled"] == 1

    def test_a_clock_that_is_behind_makes_no_sum_smaller(self):
        self.ended()
        Operation.objects.filter(kind="bind").update(
            created_at=Now() + timedelta(hours=1)
        )
        assert self.samples("operation_duration_seconds_sum")["bind",] == 0


class HistoryTest(OperationsCase):
    """What has ended is read once."""

    def read(self) -> int:
        """How many rows the next look takes in."""
        with mock.patch.object(Tally, "add", autospec=True) as add:
            add.side_effect = lambda *_: None
            operations.History.tally(history)
        tallies = {id(call.args[0]) for call in add.call_args_list}
        return max(
            (
                sum(id(call.args[0]) == tally for call in add.call_args_list)
                for tally in tallies
            ),
            default=0,
        )

    def test_old_rows_are_not_read_again(self):
        self.ended(50, ago=timedelta(hours=1))
        self.ended(2)
        assert self.samples("operations_total")["bind", "succeeded"] == 52
        assert self.read() == 2

    def test_numbers_only_grow(self):
        self.ended(50, ago=timedelta(hours=1))
        for total in range(51, 54):
            self.ended()
            assert self.samples("operations_total")["bind", "succeeded"] == total

    def test_what_was_recent_settles_later(self):
        self.ended(2, ago=timedelta(minutes=5))
        self.samples("operations_total")
        late = timezone.now() + timedelta(hours=1)
        self.ended(finished_at=late)
        with mock.patch.object(operations.timezone, "now", return_value=late):
            for _ in range(3):
                assert self.samples("operations_total")["bind", "succeeded"] == 3
            assert self.read() == 1

    def test_a_row_from_the_future_hides_none_of_today(self):
        """A clock that was wrong for a while."""
        self.ended(finished_at=timezone.now() + timedelta(days=900))
        for total in range(2, 5):
            self.ended()
            assert self.samples("operations_total")["bind", "succeeded"] == total

    def test_a_commit_that_comes_late_is_counted(self):
        """A transaction's own time is before that of others that ended before it."""
        self.ended(3)
        self.samples("operations_total")
        self.ended(ago=timedelta(minutes=2))
        assert self.samples("operations_total")["bind", "succeeded"] == 4

    def test_a_process_that_starts_says_the_same(self):
        self.ended(5, ago=timedelta(hours=1))
        self.ended(2, state="failed")
        before = self.samples("operations_total")
        assert self.samples("operations_total") == before
        history.clear()
        assert self.samples("operations_total") == before

    def test_without_any_there_are_zeros(self):
        assert set(self.samples("operations_total").values()) == {0}


class UnfinishedTest(OperationsCase):
    def test_they_are_counted_and_the_oldest_is_dated(self):
        self.accept_provision("i-1")
        self.provision_operation("i-2")
        found = self.samples("operations_unfinished")
        assert found["provision", "queued"] == found["provision", "running"] == 1
        (at,) = self.samples("operation_oldest_unfinished_timestamp_seconds").values()
        oldest = Operation.objects.earliest("created_at").created_at
        assert at == oldest.timestamp()
        assert self.samples("operations_overdue") == {(): 0}

    def test_beyond_their_deadline_they_are_overdue(self):
        """F6."""
        self.accept_provision()
        Operation.objects.update(deadline_at=Now() - timedelta(seconds=1))
        assert self.samples("operations_overdue") == {(): 1}

    def test_without_any_there_is_no_oldest(self):
        assert not self.samples("operation_oldest_unfinished_timestamp_seconds")
