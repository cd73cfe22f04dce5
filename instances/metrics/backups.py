"""Backups: what there is, and who lacks one."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery, Sum
from prometheus_client import Metric

from instances.metrics.families import add_moment, gauge
from instances.models import Backup, DockerHost, ServiceInstance
from instances.operations.backup_schedule import CLOCKED
from instances.operations.backup_trouble import BAD, with_trouble

_State = Backup.State
STATES = [state for state in _State if state != _State.GONE]


def collect() -> Iterator[Metric]:
    """Take four queries."""
    yield from _backups()
    yield from _cover()


def _backups() -> Iterator[Metric]:
    numbers = gauge("backups", "Backups whose image is not gone.", "host", "state")
    size = gauge("backups_size_bytes", "Beyond the images they were made from.", "host")
    rows = Backup.objects.order_by().filter(state__in=STATES, gone_at=None)
    found: Counter[tuple[str, str]] = Counter()
    sizes: Counter[str] = Counter()
    for row in rows.values("host__name", "state").annotate(
        number=Count("pk"), size=Sum("delta_bytes")
    ):
        host = row["host__name"]
        found[host, row["state"]] = row["number"]
        sizes[host] += row["size"] or 0
    for host in DockerHost.objects.order_by("name").values_list("name", flat=True):
        size.add_metric((host,), sizes[host])
        for state in STATES:
            numbers.add_metric((host, state), found[host, state])
    yield from (numbers, size)


def _cover() -> Iterator[Metric]:
    """Of service instances that are ready."""
    scheduled = gauge(
        "backup_scheduled_instances", "Service instances that are backed up by a clock."
    )
    overdue = gauge(
        "backup_overdue_instances", "Those without a verified backup that is in time."
    )
    failed = gauge(
        "backup_failed_instances",
        "Service instances whose latest backup failed or is missing.",
    )
    newest = gauge(
        "backup_newest_verified_timestamp_seconds", "The newest verified backup of any."
    )
    stalest = gauge(
        "backup_stalest_verified_timestamp_seconds",
        "Of the newest ones of those on the clock, the oldest.",
    )
    found = _aggregate()
    scheduled.add_metric((), found["scheduled"])
    overdue.add_metric((), found["overdue"])
    failed.add_metric((), found["failed"])
    add_moment(newest, found["newest"])
    add_moment(stalest, found["stalest"])
    yield from (scheduled, overdue, failed, newest, stalest)


def _aggregate() -> dict[str, Any]:
    verified = Backup.objects.usable().filter(instance=OuterRef("pk")).order_by()
    latest = verified.values("instance").annotate(at=Max("taken_at")).values("at")
    ready = ServiceInstance.objects.order_by().filter(state=ServiceInstance.State.READY)
    rows = with_trouble(ready).annotate(verified_at=Subquery(latest))
    return rows.aggregate(
        scheduled=Count("pk", filter=CLOCKED),
        overdue=Count("pk", filter=Q(is_backup_overdue=True)),
        failed=Count("pk", filter=Q(last_backup__in=BAD)),
        newest=Max("verified_at"),
        stalest=Min("verified_at", filter=CLOCKED),
    )
