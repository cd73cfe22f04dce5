"""Retention and schedule: which backups go, and which are due.

Both are read from the rows at each pass. Never removed are the last verified one of
an instance that is there, and more than a few at once (FAILURES F96, F129).
"""

import logging
import re
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors
from instances.models import (
    WORKER,
    Backup,
    Broker,
    Container,
    DockerHost,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.operations import back_up, hosts

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 5
"""A wrong clock must not empty the store in one pass."""
RETRY_AFTER = timedelta(minutes=15)
"""So long a plan's next try waits after one that failed."""
IS_ID = re.compile(r"[0-9a-f]{32}")
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
        _remove_image(backup)
    for host in DockerHost.objects.all():
        _remove_strays(host)
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


def _remove_image(backup: Backup) -> None:
    if not _is_free(backup):
        return
    try:
        hosts.connect(backup.host).remove_image(backup.reference)
    except errors.BrokerError as error:
        logger.warning("backup=%s does not go away: %s", backup.pk, error.detail)
        return
    gone = _State.GONE if backup.state == _State.EXPIRING else backup.state
    Backup.objects.filter(pk=backup.pk, state=backup.state).update(
        state=gone, gone_at=Now()
    )


def _remove_strays(host: DockerHost) -> None:
    """Images that came after their backup was over: a commit's answer was lost (F89).

    One without a row is only named: the rows may be an older copy (FAILURES F120).
    """
    try:
        client = hosts.connect(host)
        found = client.list_backups(broker_id=str(Broker.this().broker_id))
        rows = {row.id.hex: row for row in host.backups.filter(pk__in=_ids(found))}
        for reference, label in found.items():
            row = rows.get(label)
            if row is None:
                logger.warning("host=%s image=%s has no row", host, reference)
            elif _is_stray(row, reference):
                client.remove_image(reference)
    except errors.HostUnreachable as error:
        logger.warning("host=%s: %s", host, error.detail)


def _ids(found: dict[str, str]) -> list[uuid.UUID]:
    return [uuid.UUID(label) for label in found.values() if IS_ID.fullmatch(label)]


def _is_stray(row: Backup, reference: str) -> bool:
    """An untagged one is the loser of two commits, once there is a winner."""
    is_other = reference != row.reference and row.state != _State.TAKING
    return row.gone_at is not None or is_other


def _scheduled() -> list[ServiceInstance]:
    rows = ServiceInstance.objects.filter(
        state=ServiceInstance.State.READY, plan__backup_interval_h__isnull=False
    )
    return [row for row in rows.select_related("plan", "container") if is_due(row)]


def is_due(instance: ServiceInstance) -> bool:
    """Whether the plan's clock asks for a backup now."""
    hours, now = instance.plan.backup_interval_h, timezone.now()
    if hours is None or instance.created_at > now - timedelta(hours=hours):
        return False
    failed = instance.backups.filter(state=_State.FAILED)
    if failed.filter(created_at__gt=now - RETRY_AFTER).exists():
        return False
    good = instance.backups.exclude(state=_State.FAILED)
    return not good.filter(created_at__gt=now - timedelta(hours=hours)).exists()


def _take_if_due(instance: ServiceInstance) -> None:
    try:
        with transaction.atomic():
            # Of two workers that see it due, the second one sees the first one's row.
            locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
            if is_due(locked):
                back_up.accept(locked, trigger=Trigger.SCHEDULE, actor=WORKER)
    except errors.ConcurrencyError:
        logger.info("instance=%s is busy: its backup waits", instance.pk)
