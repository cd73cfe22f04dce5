"""Backups of a host that is drained: each gets another host as its own.

A copy is made as everywhere; once it is there, the two change places, and what is on
the drained host is a copy that nobody wants.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from instances import errors
from instances.models import Backup, BackupCopy, DockerHost
from instances.operations import backup_copies, backup_places, retention

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(minutes=5)
MIB = 2**20
_State, _Copy = Backup.State, BackupCopy.State
MOVABLE = (_State.VERIFIED, _State.MISSING)


def carry(host: DockerHost) -> None:
    """One round of it. Running it twice changes nothing."""
    rows = host.backups.filter(state__in=MOVABLE).select_related("host", "instance")
    for backup in rows.select_related("instance__container__host"):
        copy = _elsewhere(backup, host)
        if copy is not None:
            promote(backup, copy)
        elif backup.state == _State.VERIFIED:
            _want(backup, host)
    here = host.backup_copies.ready().select_related("backup__host")
    for copy in here.select_related("backup__instance__container__host"):
        if copy.backup.state in MOVABLE and copy.backup.host_id != host.pk:
            _give_up(copy, host)


def promote(backup: Backup, copy: BackupCopy) -> bool:
    """Make the copy the backup itself, and its former image a copy to be removed."""
    if not retention.is_free(backup):
        return False
    former, place = backup.host, f"host {backup.host_id}"
    with transaction.atomic():
        rows = Backup.objects.filter(pk=backup.pk, host=former, state__in=MOVABLE)
        if not rows.update(host=copy.host):
            return False
        if not copy.move(_Copy.GONE, only_from=(_Copy.READY,)):
            transaction.set_rollback(True)
            return False
        BackupCopy.objects.update_or_create(
            backup=backup,
            place=place,
            defaults={"host": former, "state": _Copy.EXPIRING, "error": ""},
            create_defaults={
                "host": former,
                "state": _Copy.EXPIRING,
                "requested_by": "worker drain",
            },
        )
    logger.info("backup=%s is at home on host=%s now", backup.pk, copy.host)
    return True


def target_for(backup: Backup, leaving: DockerHost) -> DockerHost | None:
    """Where its database is, or the host with the most free disk; None: nowhere."""
    needed = (backup.size_bytes or 0) * 1.2
    taken = {row.pk for row in backup_places.holders(backup)} | {leaving.pk}
    able = [
        host
        for host in DockerHost.objects.filter(problem="").exclude(pk__in=taken)
        if host.is_open and _free(host) >= needed
    ]
    container = backup.instance.container
    near = container.host_id if container else None
    return max(able, key=lambda host: (host.pk == near, _free(host)), default=None)


def _free(host: DockerHost) -> float:
    """Bytes; one that nobody has measured is taken for large enough."""
    if host.free_bytes is None:
        return float("inf")
    return float(host.free_bytes - host.reserve_mb * MIB)


def _elsewhere(backup: Backup, host: DockerHost) -> BackupCopy | None:
    copies = backup.copies.ready().filter(host__isnull=False).exclude(host=host)
    safe = copies.filter(host__problem="").exclude(
        host__state__in=(DockerHost.State.DRAINING, DockerHost.State.REMOVED)
    )
    return safe.select_related("host").first()


def _want(backup: Backup, host: DockerHost) -> None:
    recent = timezone.now() - RETRY_AFTER
    copies = backup.copies.exclude(host=host)
    under_way = copies.filter(state__in=(_Copy.WANTED, _Copy.WORKING))
    failed = copies.filter(state=_Copy.FAILED, finished_at__gt=recent)
    if under_way.exists() or failed.exists():
        return
    target = target_for(backup, host)
    if target is not None:
        BackupCopy.objects.want(
            backup, target, requested_by=f"worker drain of {host}", registry=""
        )


def _give_up(copy: BackupCopy, host: DockerHost) -> None:
    """One of another host's backup goes, unless it is the last that can be reached."""
    backup = copy.backup
    is_safe = backup.state == _State.VERIFIED and not backup.host.problem
    other = None if is_safe else _elsewhere(backup, host)
    # Whether this one is a copy at all, a host that is down would not say.
    if is_safe or (other is not None and promote(backup, other)):
        copy.move(_Copy.EXPIRING, only_from=(_Copy.READY,))
        return
    try:
        target = target_for(backup, host)
        if target is not None:
            backup_copies.check(backup, target)
            _want(backup, host)
    except errors.InvalidRequest as error:
        logger.info("copy=%s stays: %s", copy.pk, error)
