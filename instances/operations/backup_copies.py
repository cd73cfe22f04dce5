"""Copies: a backup's image on another host, or in a registry, and back again.

The row comes first, and may be taken up by any worker: an image that is there already
is found, and what a dead attempt has left goes when hosts are compared with the rows.
A copy is believed because its id is a digest of all that is in it.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from instances import errors
from instances.containers import ContainerHost
from instances.models import Actor, AuditEvent, Backup, BackupCopy, DockerHost
from instances.models.leased_work import MOST_CRASHES
from instances.operations import backup_places, hosts, image_sending, registry

logger = logging.getLogger(__name__)

REPORT_S = 1.0
RETRY_AFTER = timedelta(minutes=15)
"""So long the next try waits to bring a missing image back."""
Report = Callable[[str], None]
_State, _Copy = Backup.State, BackupCopy.State
UNWANTED = (_State.FAILED, _State.EXPIRING, _State.GONE)


def accept(backup: Backup, host: DockerHost | None, *, actor: Actor) -> bool:
    """Record the wish; return whether it is new. No host: to the registry.

    Raise InvalidRequest.
    """
    check(backup, host)
    where = host.name if host else settings.BACKUP_REGISTRY
    with transaction.atomic():
        is_new = BackupCopy.objects.want(
            backup,
            host,
            requested_by=f"{actor.kind} {actor.name}",
            registry="" if host else settings.BACKUP_REGISTRY,
        )
        if is_new:
            AuditEvent.record(
                actor, "copy backup", backup.instance, backup=str(backup.pk), to=where
            )
    return is_new


def check(backup: Backup, host: DockerHost | None) -> None:
    """Raise InvalidRequest."""
    if backup.state != _State.VERIFIED:
        raise errors.InvalidRequest(
            f"backup: it is {backup.get_state_display()}, and only a verified one "
            "can be copied."
        )
    if host is None and not settings.BACKUP_REGISTRY:
        raise errors.InvalidRequest("host: no registry is set (BACKUP_REGISTRY).")
    if host is not None and host.pk == backup.host_id:
        raise errors.InvalidRequest(f"host: the backup itself is on {host}.")


def accept_removal(copy: BackupCopy, *, actor: Actor) -> None:
    """Raise ConcurrencyError if it is just being made, or has gone."""
    with transaction.atomic():
        if not copy.move(
            _Copy.EXPIRING, only_from=(_Copy.WANTED, _Copy.READY, _Copy.FAILED)
        ):
            raise errors.ConcurrencyError(detail=f"{copy} is {copy.state}")
        instance = copy.backup.instance
        AuditEvent.record(
            actor,
            "remove backup copy",
            instance,
            backup=str(copy.backup_id),
            place=copy.where,
        )


def perform(
    row: BackupCopy, *, is_stopping: Callable[[], bool] = lambda: False
) -> None:
    """Make one attempt at a claimed wish. What goes wrong ends in its row."""
    try:
        _attempt(row, _Progress(row, is_stopping))
    except errors.LeaseLost as error:
        logger.warning("copy=%s was taken away: %s", row.pk, error.detail)
    except errors.Interrupted:
        BackupCopy.objects.release(row.owner)


def _attempt(row: BackupCopy, report: Report) -> None:
    try:
        if row.crashes >= MOST_CRASHES:
            raise errors.BrokerError(
                detail=f"The worker was interrupted {row.crashes} times at this."
            )
        backup = row.backup
        if backup.state not in (_State.VERIFIED, _State.MISSING):
            raise errors.BrokerError(detail=f"The backup is {backup.state}.")
        if row.host is None:
            report("pushing")
            digest = registry.push(backup, row.registry, report)
            row.succeed(sent_bytes=None, digest=digest)
        else:
            row.succeed(sent_bytes=_bring(backup, row.host, report))
    except errors.Stopped:
        raise
    except errors.BrokerError as error:
        logger.warning("copy=%s: %s", row.pk, error.detail)
        row.fail(error)
    except Exception as error:
        logger.exception("copy=%s crashed", row.pk)
        row.fail(errors.BrokerError(detail=f"{type(error).__name__}: {error}"))
    else:
        logger.info("copy=%s backup=%s is in %s", row.pk, row.backup_id, row.where)
        if row.host_id == row.backup.host_id:
            # It is the backup's own again, and no copy.
            row.move(_Copy.GONE, only_from=(_Copy.READY,))


def _bring(backup: Backup, host: DockerHost, report: Report) -> int | None:
    """Return how many bytes were sent; none if it was there.

    Raise ArchiveRefused, HostUnreachable.
    """
    target = hosts.connect(host)
    report("looking at the host")
    found = target.images.find(backup.reference)
    if found is None:
        source = _source(backup, host, target)
        if source is None:
            report("pulling")
            registry.pull(backup, host, report)
            sent = None
        else:
            sent = image_sending.send(
                *(backup.reference, backup.image_id, source, target), report=report
            )
        found = target.images.find(backup.reference)
    else:
        if host.pk != backup.host_id and backup_places.is_own(backup, host):
            raise errors.BrokerError(
                detail=f"{host} and {backup.host} are the same Docker Engine: there is "
                "nothing to copy."
            )
        sent = None
    if found is None or found.id != backup.image_id:
        raise errors.ArchiveRefused(
            "The copy is not the same image.",
            detail=f"{backup.reference} is {found.id if found else 'not there'}",
        )
    return sent


def _source(
    backup: Backup, host: DockerHost, target: ContainerHost
) -> ContainerHost | None:
    """A host that has it, those that answered last time first."""
    others = [row for row in backup_places.holders(backup) if row.pk != host.pk]
    for row in sorted(others, key=lambda row: bool(row.problem)):
        source = hosts.connect(row)
        try:
            if source.images.find(backup.reference) is not None:
                return source
        except errors.HostUnreachable as error:
            logger.warning("host=%s: %s", row, error.detail)
    return None


def sweep() -> None:
    """Bring copies in line with their backups. Running it twice changes nothing."""
    orphans = BackupCopy.objects.filter(backup__state__in=UNWANTED)
    for copy in orphans.filter(state__in=(_Copy.WANTED, _Copy.READY)):
        copy.move(_Copy.EXPIRING, only_from=(_Copy.WANTED, _Copy.READY))
    leaving = BackupCopy.objects.filter(state=_Copy.EXPIRING)
    for copy in leaving.select_related("host", "backup__host"):
        _remove(copy)
    lost = Backup.objects.filter(
        state=_State.MISSING, copies__state=_Copy.READY, host__problem=""
    )
    for backup in lost.select_related("host").distinct():
        own = backup.copies.filter(host=backup.host)
        if own.filter(finished_at__gt=timezone.now() - RETRY_AFTER).exists():
            continue
        # Then the comparison of its host finds it again, and has it proved anew.
        BackupCopy.objects.want(backup, backup.host, requested_by="worker", registry="")


def _remove(copy: BackupCopy) -> None:
    try:
        if copy.host is None:
            registry.remove(copy)
        elif copy.backup.state in UNWANTED or not backup_places.is_own(
            copy.backup, copy.host
        ):
            hosts.connect(copy.host).remove_image(copy.backup.reference)
    except errors.HostUnreachable as error:
        logger.warning("copy=%s does not go away: %s", copy.pk, error.detail)
        return
    except errors.BrokerError as error:
        logger.warning("copy=%s stays: %s", copy.pk, error.detail)
        copy.move(_Copy.FAILED, only_from=(_Copy.EXPIRING,), error=error.detail)
        return
    copy.move(_Copy.GONE, only_from=(_Copy.EXPIRING,), error="")


class _Progress:
    """Writes progress into the row, once a second: each write costs a commit."""

    def __init__(self, row: BackupCopy, is_stopping: Callable[[], bool]) -> None:
        self._row, self._is_stopping = row, is_stopping
        self._step, self._written_at = "", 0.0

    def __call__(self, text: str) -> None:
        """Raise LeaseLost or Interrupted if this attempt must not go on."""
        step, now = text.partition(":")[0], time.monotonic()
        if step == self._step and now - self._written_at < REPORT_S:
            return
        self._row.note(text)
        self._step, self._written_at = step, now
        if self._is_stopping():
            raise errors.Interrupted
