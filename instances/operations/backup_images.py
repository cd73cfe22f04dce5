"""Backups' images: those that have gone missing, and those that nobody wants.

An image of this broker without any row is named in the log and left alone: the
database may have been restored from an older copy (FAILURES F120).
"""

import logging
import uuid

from django.db.models.functions import Now

from instances import errors
from instances.models import Backup, BackupCopy, Broker, DockerHost
from instances.models.backup_copy import ENDED
from instances.models.leased_work import UNDER_WAY
from instances.operations import backup_places, hosts

logger = logging.getLogger(__name__)

_State = Backup.State
MISSING = "its image is not on the host any more"
HELD = (_State.COMMITTED, _State.VERIFIED)
UNWANTED = (_State.FAILED, _State.GONE)


def compare(host: DockerHost) -> None:
    """Bring a host's rows and images in line. Raise HostUnreachable."""
    # Rows first: what is committed afterwards has its image before.
    rows = {
        row.reference: row for row in host.backups.filter(state__in=(*HELD, "missing"))
    }
    copies = {
        row.backup.reference: row
        for row in host.backup_copies.wanted().select_related("backup")
    }
    images = hosts.connect(host).list_backups(broker_id=str(Broker.this().broker_id))
    for reference, row in rows.items():
        if row.state in HELD and reference not in images:
            _note(row, _State.MISSING, MISSING)
        elif row.state == _State.MISSING and reference in images:
            # Whatever has brought it back, it is proved anew.
            _note(row, _State.COMMITTED, "")
    _look_at_copies(copies, images)
    for reference, label in images.items():
        if reference not in rows and reference not in copies:
            _settle(host, reference, label)


def _look_at_copies(copies: dict[str, BackupCopy], images: dict[str, str]) -> None:
    state = BackupCopy.State
    for reference, copy in copies.items():
        if reference in images:
            BackupCopy.objects.filter(pk=copy.pk, state=state.READY).update(
                checked_at=Now()
            )
        elif copy.state == state.READY:
            logger.warning("copy=%s is gone", copy.pk)
            copy.move(state.FAILED, only_from=(state.READY,), error=MISSING)


def _note(row: Backup, state: str, problem: str) -> None:
    logger.warning("backup=%s is %s: %s", row.pk, state, problem or "it is back")
    # It may have moved to another host since it was read.
    rows = Backup.objects.filter(pk=row.pk, state=row.state, host=row.host_id)
    rows.update(state=state, problem=problem, claimed_until=None, proofs=0)


def _settle(host: DockerHost, reference: str, label: str) -> None:
    """One of a backup that failed or is gone, a late commit's included (F89, F133)."""
    try:
        row = Backup.objects.filter(pk=uuid.UUID(label)).first()
    except ValueError:
        row = None
    if row is None:
        logger.warning("host=%s image=%s has no row", host, reference)
    elif row.host_id != host.pk:
        _settle_elsewhere(row, host, reference)
    elif row.state in UNWANTED or _is_loser(row, reference):
        remove(row, reference)


def _settle_elsewhere(row: Backup, host: DockerHost, reference: str) -> None:
    """A copy that has failed or is not wanted; never one that nothing is known of."""
    ended = row.copies.filter(host=host, state__in=ENDED).exists()
    if not ended and row.state not in UNWANTED:
        return
    try:
        if row.state in UNWANTED or not backup_places.is_own(row, host):
            hosts.connect(host).remove_image(reference)
    except errors.BrokerError as error:
        logger.warning("image=%s does not go away: %s", reference, error.detail)


def _is_loser(row: Backup, reference: str) -> bool:
    """Of two commits of one backup; while it is being taken, either may get the tag.

    A name for the registry that a push has left is one too, once that is over.
    """
    is_pushed = row.copies.filter(host=None, state__in=UNDER_WAY).exists()
    return reference != row.reference and row.state != _State.TAKING and not is_pushed


def remove(row: Backup, reference: str) -> None:
    """Remove an image; for a row that waits for it, it is seen to be gone."""
    try:
        hosts.connect(row.host).remove_image(reference)
    except errors.BrokerError as error:
        logger.warning("image=%s does not go away: %s", reference, error.detail)
        return
    if reference != row.reference:
        return
    gone = _State.GONE if row.state == _State.EXPIRING else row.state
    Backup.objects.filter(pk=row.pk, state=row.state, gone_at=None).update(
        state=gone, gone_at=Now()
    )
