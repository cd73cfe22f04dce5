"""When the next backup is due, and instances whose latest one failed or is late."""

from datetime import datetime, timedelta

from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.utils import timezone

from instances.models import Backup, ServiceInstance, ServicePlan
from instances.operations.retention import RETRY_AFTER

GRACE = timedelta(hours=1)
"""A scheduled backup may be so late: others are under way, and it is proved."""
_State = Backup.State
BAD = (_State.FAILED, _State.MISSING)
UNDECIDED = (_State.TAKING, _State.COMMITTED)


def next_due(instance: ServiceInstance) -> datetime | None:
    """When the plan's clock asks for the next backup; None if it asks for none."""
    hours = instance.plan.backup_interval_h
    if hours is None:
        return None
    interval = timedelta(hours=hours)
    failed = instance.backups.filter(state=_State.FAILED)
    good = instance.backups.exclude(state=_State.FAILED)
    moments = [instance.created_at + interval]
    for rows, wait in ((failed, RETRY_AFTER), (good, interval)):
        latest = rows.aggregate(at=Max("created_at"))["at"]
        if latest is not None:
            moments.append(latest + wait)
    return max(moments)


def troubled(
    rows: QuerySet[ServiceInstance],
) -> QuerySet[ServiceInstance]:
    """Those of the rows that are ready and in trouble with their backups."""
    ready = with_trouble(rows.filter(state=ServiceInstance.State.READY))
    return ready.filter(Q(last_backup__in=BAD) | Q(is_backup_overdue=True))


def with_trouble(rows: QuerySet[ServiceInstance]) -> QuerySet[ServiceInstance]:
    """The rows with .last_backup, a state or None, and .is_backup_overdue."""
    decided = Backup.objects.filter(instance=OuterRef("pk"))
    decided = decided.exclude(state__in=UNDECIDED).order_by("-created_at")
    return rows.annotate(
        last_backup=Subquery(decided.values("state")[:1]),
        is_backup_overdue=ExpressionWrapper(_is_overdue(), output_field=BooleanField()),
    )


def _is_overdue() -> Q:
    """By each interval that a plan has: databases differ in reckoning with times."""
    intervals = ServicePlan.objects.values_list("backup_interval_h", flat=True)
    overdue = Q(pk__isnull=True)  # none, as PostgreSQL wants it: a boolean
    for hours in sorted(filter(None, set(intervals))):
        since = timezone.now() - timedelta(hours=hours) - GRACE
        proved = Backup.objects.usable().filter(instance=OuterRef("pk"))
        is_proved = Q(Exists(proved.filter(created_at__gte=since)))
        asked = Q(plan__backup_interval_h=hours, created_at__lt=since)
        overdue |= asked & ~is_proved
    return overdue
