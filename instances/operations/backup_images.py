"""Backups' images: those that have gone missing, and those that nobody wants.

An image of this broker without any row is named in the log and left alone: the
database may have been restored from an older copy (FAILURES F120).
"""

import logging
import uuid

from django.db.models.functions import Now

from instances import errors
from instances.models import Backup, Broker, DockerHost
from instances.operations import hosts

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
    images = hosts.connect(host).list_backups(broker_id=str(Broker.this().broker_id))
    for reference, row in rows.items():
        if row.state in HELD and reference not in images:
            _note(row, _State.MISSING, MISSING)
        elif row.state == _State.MISSING and reference in images:
            # Whatever has brought it back, it is proved anew.
            _note(row, _State.COMMITTED, "")
    for reference, label in images.items():
        if reference not in rows:
            _settle(host, reference, label)


def _note(row: Backup, state: str, problem: str) -> None:
    logger.warning("backup=%s is %s: %s", row.pk, state, problem or "it is back")
    Backup.objects.filter(pk=row.pk, state=row.state).update(
        state=state, problem=problem, claimed_until=None, proofs=0
    )


def _settle(host: DockerHost, reference: str, label: str) -> None:
    """One of a backup that failed or is gone, a late commit's included (F89, F133)."""
    try:
        row = Backup.objects.filter(pk=uuid.UUID(label)).first()
    except ValueError:
        row = None
    if row is None:
        logger.warning("host=%s image=%s has no row", host, reference)
    elif row.state in UNWANTED or _is_loser(row, reference):
        remove(row, reference)


def _is_loser(row: Backup, reference: str) -> bool:
    """Of two commits of one backup; while it is being taken, either may get the tag."""
    return reference != row.reference and row.state != _State.TAKING


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
