"""Retention and schedule: which backups go, and which are due.

Both are read from the rows at each pass. Never removed are the last verified one of
an instance that is there, and more than a few at once (FAILURES F96, F129).
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from instances import errors
from instances.models import (
    WORKER,
    Backup,
    Container,
    DockerHost,
    ServiceBinding,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.operations import back_up, backup_images

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 5
"""A wrong clock must not empty the store in one pass."""
RETRY_AFTER = timedelta(minutes=15)
"""So long a plan's next try waits after one that failed."""
_State = Backup.State


def sweep() -> None:
    """Bring backups in line with the rows. Running it twice changes nothing."""
    Backup.objects.abandoned().update(
        state=_State.FAILED, problem="what took it was ended"
    )
    for instance in _with_backups():
        for backup in expired(instance)[:MOST_AT_ONCE]:
            if _is_free(backup):
                backup.move(_State.EXPIRING, only_from=(_State.VERIFIED,))
    for backup in Backup.objects.leftover().select_related("host"):
        if _is_free(backup):
            backup_images.remove(backup, backup.reference)
    used = Q(backups__isnull=False) | Q(backup_copies__isnull=False)
    for host in DockerHost.objects.filter(used, problem="").distinct():
        _compare(host)
    for instance in _scheduled():
        _take_if_due(instance)


def expired(instance: ServiceInstance) -> list[Backup]:
    """Those that the plan's retention lets go now, the oldest first."""
    plan, now = instance.plan, timezone.now()
    kept: list[Backup] = []
    going: list[Backup] = []
    place = 0
    for row in instance.backups.usable().order_by("-created_at"):
        if row.expires_at is not None:
            goes = row.expires_at <= now
        else:
            days = plan.backup_keep_days
            goes = plan.backup_keep is not None and place >= plan.backup_keep
            goes |= days is not None and row.created_at < now - timedelta(days=days)
            place += 1
        (going if goes else kept).append(row)
    is_live = instance.state != ServiceInstance.State.GONE
    if is_live and not kept and going:
        going.remove(going[0])
    return going[::-1]


def _with_backups() -> list[ServiceInstance]:
    rows = ServiceInstance.objects.filter(backups__state=_State.VERIFIED)
    return list(rows.select_related("plan").distinct())


def _is_free(backup: Backup) -> bool:
    """Whether no container is made of it."""
    rows = Container.objects.filter(host=backup.host, image=backup.reference)
    return not rows.exclude(state=Container.State.GONE).exists()


def _compare(host: DockerHost) -> None:
    try:
        backup_images.compare(host)
    except errors.HostUnreachable as error:
        logger.warning("host=%s: its backups are not looked at: %s", host, error.detail)


def _scheduled() -> list[ServiceInstance]:
    wanted = Q(plan__backup_interval_h__isnull=False) | Q(plan__backup_on_bind=True)
    rows = ServiceInstance.objects.filter(wanted, state=ServiceInstance.State.READY)
    return [row for row in rows.select_related("plan", "container") if due(row)]


def due(instance: ServiceInstance) -> str:
    """What asks for a backup now, the plan's clock or a new binding; empty: nothing."""
    now = timezone.now()
    failed = instance.backups.filter(state=_State.FAILED).exclude(
        trigger=Trigger.UPLOAD
    )
    if failed.filter(created_at__gt=now - RETRY_AFTER).exists():
        return ""
    if not back_up.is_possible(instance):
        return ""
    taken = instance.backups.exclude(trigger=Trigger.UPLOAD)
    last = taken.exclude(state=_State.FAILED).first()
    if instance.plan.backup_on_bind and _is_bound_since(instance, last):
        return Trigger.EVENT
    hours = instance.plan.backup_interval_h
    since = last.created_at if last else instance.created_at
    is_time = hours is not None and since <= now - timedelta(hours=hours)
    return Trigger.SCHEDULE if is_time else ""


def _is_bound_since(instance: ServiceInstance, last: Backup | None) -> bool:
    bound = instance.bindings.filter(state=ServiceBinding.State.READY)
    if last is not None:
        bound = bound.filter(created_at__gt=last.created_at)
    return bound.exists()


def _take_if_due(instance: ServiceInstance) -> None:
    try:
        with transaction.atomic():
            # Of two workers that see it due, the second one sees the first one's row.
            locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
            trigger = due(locked)
            if trigger:
                back_up.accept(locked, trigger=trigger, actor=WORKER)
    except errors.ConcurrencyError:
        logger.info("instance=%s is busy: its backup waits", instance.pk)
