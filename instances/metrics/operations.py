"""Operations: how many have ended, how, and how long they took."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Metric

from instances.metrics.families import add_moment, counter, gauge, histogram
from instances.models import Kind, Operation
from instances.models.operation_lookups import UNFINISHED

DURATIONS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
SETTLED_AFTER = timedelta(minutes=10)
"""What ended so long before the latest one is read once: no transaction that could
still add to it takes so long."""
_State = Operation.State
RESULTS = (_State.SUCCEEDED, _State.FAILED, _State.CANCELLED)


@dataclass
class Tally:
    """Numbers that only grow, as a counter and a histogram want them."""

    until: datetime | None = None
    """Operations that ended up to then are in it."""
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    buckets: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By kind and place in DURATIONS_S; the last place is for all that took longer."""
    seconds: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Tally":
        return Tally(
            self.until, self.results.copy(), self.buckets.copy(), self.seconds.copy()
        )

    def add(self, kind: str, state: str, took_s: float) -> None:
        self.results[kind, state] += 1
        # A deprovision that overtakes ends others: how long they took says nothing.
        if state != _State.CANCELLED:
            self.buckets[kind, bisect_left(DURATIONS_S, took_s)] += 1
            self.seconds[kind] += took_s  # type: ignore[assignment]


class History:
    """The tally of all operations that have ended.

    Their rows stay and do not change any more, so each process remembers those of
    before and reads only the latest: after its first look, the number of rows that
    there are makes no difference.
    """

    def __init__(self) -> None:
        self._settled = Tally()
        self._lock = threading.Lock()

    def clear(self) -> None:
        with self._lock:
            self._settled = Tally()

    def tally(self) -> Tally:
        """Take two queries."""
        with self._lock:
            before = self._settled
        settled, recent = before.copy(), before.copy()
        rows = Operation.objects.order_by().filter(finished_at__isnull=False)
        latest = rows.aggregate(at=Max("finished_at"))["at"]
        if latest is None:
            return recent
        # A row from the future, by a clock that was wrong, must settle nothing.
        cutoff = min(latest, timezone.now()) - SETTLED_AFTER
        cutoff = max(filter(None, (before.until, cutoff)))
        if before.until is not None:
            rows = rows.filter(finished_at__gt=before.until)
        columns = rows.values_list("kind", "state", "created_at", "finished_at")
        for kind, state, created_at, finished_at in columns.iterator(chunk_size=5000):
            # Two clocks: what begins in a web process ends by the database's.
            ended_at = finished_at or latest
            took_s = max(0.0, (ended_at - created_at).total_seconds())
            recent.add(kind, state, took_s)
            if ended_at <= cutoff:
                settled.add(kind, state, took_s)
        settled.until = cutoff
        with self._lock:
            if self._settled is before:
                self._settled = settled
        return recent


history = History()


def collect() -> Iterator[Metric]:
    tally = history.tally()
    yield _ended(tally)
    yield _durations(tally)
    yield from _unfinished()


def _ended(tally: Tally) -> Metric:
    family = counter("operations", "Operations that have ended.", "kind", "result")
    for kind in Kind:
        for result in RESULTS:
            family.add_metric((kind, result), tally.results[kind, result])
    return family


def _durations(tally: Tally) -> Metric:
    family = histogram(
        "operation_duration_seconds",
        "From the wish to success or failure, the time in the queue included.",
        "kind",
    )
    bounds = [*map(str, DURATIONS_S), "+Inf"]
    for kind in Kind:
        total, buckets = 0, []
        for place, bound in enumerate(bounds):
            total += tally.buckets[kind, place]
            buckets.append((bound, total))
        family.add_metric((kind,), buckets, sum_value=tally.seconds[kind])
    return family


def _unfinished() -> Iterator[Metric]:
    """Take one query."""
    numbers = gauge("operations_unfinished", "Operations now.", "kind", "state")
    overdue = gauge("operations_overdue", "Unfinished ones beyond their deadline.")
    oldest = gauge(
        "operation_oldest_unfinished_timestamp_seconds",
        "When the oldest unfinished one was asked for; nothing without one.",
    )
    rows = Operation.objects.unfinished().order_by().values("kind", "state")
    found = {
        (row["kind"], row["state"]): row
        for row in rows.annotate(
            number=Count("pk"),
            late=Count("pk", filter=Q(deadline_at__lte=Now())),
            since=Min("created_at"),
        )
    }
    for kind in Kind:
        for state in UNFINISHED:
            row = found.get((kind, state))
            numbers.add_metric((kind, state), row["number"] if row else 0)
    overdue.add_metric((), sum(row["late"] for row in found.values()))
    add_moment(oldest, min((row["since"] for row in found.values()), default=None))
    yield from (numbers, overdue, oldest)
