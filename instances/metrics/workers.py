"""Workers: without one, nothing goes on."""

from collections.abc import Iterator

from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from prometheus_client import Metric

from instances.metrics.families import add_moment, gauge
from instances.models import Worker
from instances.models.broker import HEARTBEAT_LIMIT


def collect() -> Iterator[Metric]:
    """Take one query. No label: each start of a worker has a name of its own."""
    alive = gauge("workers_alive", "Workers that were heard of in 30 seconds.")
    heartbeat = gauge(
        "worker_last_heartbeat_timestamp_seconds", "When any worker was heard of last."
    )
    found = Worker.objects.aggregate(
        alive=Count("pk", filter=Q(seen_at__gte=Now() - HEARTBEAT_LIMIT)),
        heartbeat=Max("seen_at"),
    )
    alive.add_metric((), found["alive"])
    add_moment(heartbeat, found["heartbeat"])
    yield from (alive, heartbeat)
