"""Schedule: which backups are due, by the clock or after a bind.

It is read from the rows at each pass: there is no table of what is to come.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from instances import errors, transactions
from instances.models import (
    WORKER,
    Backup,
    Container,
    ServiceBinding,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.models.backup_override import Schedule, clock_of
from instances.operations import back_up

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(minutes=15)
"""So long a plan's next try waits after one that failed."""
_State = Backup.State
_READY = ServiceInstance.State.READY


_BY_PLAN = Q(backup_override=None) | Q(backup_override__schedule=Schedule.PLAN)
_PLAN_HAS_CLOCK = Q(plan__backup_interval_h__isnull=False) | ~Q(plan__backup_cron="")
CLOCKED = (_BY_PLAN & _PLAN_HAS_CLOCK) | Q(backup_override__schedule=Schedule.OWN)
"""Instances that a clock asks backups of: their plan's, or an operator's."""


def take_due() -> None:
    """Ask for the backups that are due."""
    for instance in _with_moments(CLOCKED | Q(plan__backup_on_bind=True)):
        if due(instance):
            _take_if_due(instance)


def clocked() -> QuerySet[Any]:
    """The ready instances that a clock asks backups of."""
    return _with_moments(CLOCKED)


def _with_moments(wanted: Q) -> QuerySet[Any]:
    """With .last_backup_at, .last_failed_at and .last_bound_at, each maybe None."""
    own = Backup.objects.exclude(trigger=Trigger.UPLOAD)
    backups = own.filter(instance=OuterRef("pk")).order_by("-created_at")
    failed = backups.filter(state=_State.FAILED).values("created_at")
    good = backups.exclude(state=_State.FAILED).values("created_at")
    bound = ServiceBinding.objects.filter(
        instance=OuterRef("pk"), state=ServiceBinding.State.READY
    ).order_by("-created_at")
    rows = ServiceInstance.objects.filter(wanted, state=_READY)
    stopped = Container.objects.filter(
        instance=OuterRef("pk"), stopped_at__isnull=False
    )
    return rows.select_related("plan__offering", "backup_override").annotate(
        is_stopped=Exists(stopped),
        last_backup_at=Subquery(good[:1]),
        last_failed_at=Subquery(failed[:1]),
        last_bound_at=Subquery(bound.values("created_at")[:1]),
    )


def due(instance: Any) -> str:
    """What asks for a backup now, a clock or a new binding; empty: nothing.

    The instance is one of those above.
    """
    now = timezone.now()
    failed_at, last_at = instance.last_failed_at, instance.last_backup_at
    if failed_at is not None and failed_at > now - RETRY_AFTER:
        return ""
    if not back_up.is_possible(instance) or instance.is_stopped:
        return ""
    bound_at = instance.last_bound_at
    is_bound = bound_at is not None and (last_at is None or bound_at > last_at)
    if instance.plan.backup_on_bind and is_bound:
        return Trigger.EVENT
    at = clock_of(instance).next_after(last_at or instance.created_at)
    return Trigger.SCHEDULE if at is not None and at <= now else ""


def next_due(instance: ServiceInstance) -> datetime | None:
    """When the clock asks for the next backup; None if it asks for none."""
    row = _with_moments(Q(pk=instance.pk)).first()
    if row is None:
        return None
    at = clock_of(row).next_after(row.last_backup_at or row.created_at)
    failed_at: datetime | None = row.last_failed_at
    return max(at, failed_at + RETRY_AFTER) if at and failed_at else at


@transactions.repeated
def _take_if_due(instance: ServiceInstance) -> None:
    try:
        with transaction.atomic():
            # Of two workers that see it due, the second one sees the first one's row.
            ServiceInstance.objects.select_for_update().get(pk=instance.pk)
            row = _with_moments(Q(pk=instance.pk)).first()
            trigger = due(row) if row is not None else ""
            if trigger:
                back_up.accept(instance, trigger=trigger, actor=WORKER)
    except errors.ConcurrencyError:
        logger.info("instance=%s is busy: its backup waits", instance.pk)
