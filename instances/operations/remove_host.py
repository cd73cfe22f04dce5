"""Remove a Docker host: its row stays for the history, and nothing is asked of it.

One that is lost for good takes with it what was only there.
"""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    BackupCopy,
    Container,
    DockerHost,
    ServiceInstance,
)
from instances.models.backup_copy import ENDED
from instances.operations import leftovers
from instances.operations.leftovers import Leftover

_State = DockerHost.State
SECRETS = dict.fromkeys(
    ("tls_ca", "tls_certificate", "tls_key", "ssh_key", "ssh_host_key"), ""
)


def obstacles(host: DockerHost, *, is_lost: bool = False) -> list[Leftover]:
    """What must go before it; of a lost one, only the service instances."""
    found = leftovers.of(host)
    if not is_lost:
        return found
    return [left for left in found if isinstance(left.row, ServiceInstance)]


@transactions.repeated
def accept(host: DockerHost, *, actor: Actor, is_lost: bool = False) -> None:
    """Remove it. is_lost: it does not answer, and never will.

    Raise InvalidRequest, ConcurrencyError.
    """
    with transaction.atomic():
        fresh = DockerHost.objects.select_for_update().get(pk=host.pk)
        _check(fresh, is_lost=is_lost)
        if is_lost:
            _forget(fresh)
        fresh.ports.all().delete()
        fresh.images.all().delete()
        closed = DockerHost.objects.filter(
            pk=host.pk, state__in=(_State.CORDONED, _State.DRAINING)
        )
        day = timezone.now().date()
        if not closed.update(
            state=_State.REMOVED,
            # Both are free again, for another one or for the same.
            name=f"{fresh.name[:60]} (removed {day}, {fresh.pk})",
            url=f"removed://{fresh.pk}",
            engine_id="",
            other_engine_id="",
            problem="",
            drain_since=None,
            **SECRETS,
        ):
            raise errors.ConcurrencyError("Its state has just changed.")
        AuditEvent.of_host(actor, "remove host", fresh, lost=is_lost)


def _check(host: DockerHost, *, is_lost: bool) -> None:
    if host.state not in (_State.CORDONED, _State.DRAINING):
        raise errors.InvalidRequest("host: drain or cordon it first.")
    if is_lost and not (host.problem or host.is_quarantined):
        raise errors.InvalidRequest("host: it answers, so that it is not lost.")
    found = obstacles(host, is_lost=is_lost)
    if found:
        raise errors.InvalidRequest(
            f"host: {found[0].row} is there still, of {len(found)} in all: "
            f"{found[0].why}."
        )


def _forget(host: DockerHost) -> None:
    """What was only there is gone with it; copies elsewhere become backups."""
    gone = Container.State.GONE
    rows = host.containers.exclude(state=gone)
    rows.update(state=gone, gone_at=Now(), admin_secret="")
    lost = host.backups.exclude(state=Backup.State.GONE)
    for backup in lost:
        copy = backup.copies.ready().filter(host__isnull=False).exclude(host=host)
        other = copy.first()
        if other is not None and backup.state in (
            Backup.State.VERIFIED,
            Backup.State.MISSING,
        ):
            Backup.objects.filter(pk=backup.pk).update(host=other.host)
            other.move(BackupCopy.State.GONE, only_from=(BackupCopy.State.READY,))
        else:
            Backup.objects.filter(pk=backup.pk).update(
                state=Backup.State.GONE,
                gone_at=Now(),
                problem=f"its host {host} was lost",
            )
    host.backup_copies.exclude(state__in=ENDED).update(state=BackupCopy.State.GONE)
