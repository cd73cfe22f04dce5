"""Instances whose latest backup failed or is late."""

import uuid
from datetime import timedelta

from django.db.models import (
    BooleanField,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.utils import timezone

from instances.models import Backup, ServiceInstance
from instances.models.backup_override import clock_of
from instances.operations import backup_schedule

GRACE = timedelta(hours=1)
"""A scheduled backup may be so late: others are under way, and it is proved."""
_State = Backup.State
BAD = (_State.FAILED, _State.MISSING)
UNDECIDED = (_State.TAKING, _State.COMMITTED)


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
    ids = _overdue_ids(rows)
    # None, as PostgreSQL wants it: a boolean.
    is_overdue = Q(pk__in=ids) if ids else Q(pk__isnull=True)
    return rows.annotate(
        last_backup=Subquery(decided.values("state")[:1]),
        is_backup_overdue=ExpressionWrapper(is_overdue, output_field=BooleanField()),
    )


def _overdue_ids(rows: QuerySet[ServiceInstance]) -> list[uuid.UUID]:
    """Those without a verified one since their clock has asked for one."""
    late, asked = timezone.now() - GRACE, rows.order_by().values("pk")
    proved = dict(
        Backup.objects.usable()
        .filter(instance__in=asked)
        .order_by()
        .values_list("instance")
        .annotate(at=Max("created_at"))
    )
    found = []
    for row in backup_schedule.clocked().filter(pk__in=asked):
        since = clock_of(row).last_before(late)
        last = proved.get(row.pk)
        if since is None or row.created_at >= since:
            continue
        if last is None or last < since:
            found.append(row.pk)
    return found
