"""Copies of backups: the same image in another place."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from instances import errors
from instances.models.backup import Backup
from instances.models.docker_host import DockerHost

MOST_CRASHES = 3
"""A copy whose transfer ends its worker as often as that is given up."""
REGISTRY = "registry"


class CopyState(models.TextChoices):
    WANTED = "wanted"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    EXPIRING = "expiring", "being removed"
    GONE = "gone"


UNDER_WAY = (CopyState.WANTED, CopyState.WORKING)
ENDED = (CopyState.FAILED, CopyState.GONE)


class BackupCopyQuerySet(models.QuerySet["BackupCopy"]):
    def ready(self) -> "BackupCopyQuerySet":
        return self.filter(state=CopyState.READY)

    def wanted(self) -> "BackupCopyQuerySet":
        """Those whose image belongs where it is, or soon will be."""
        return self.filter(state__in=(*UNDER_WAY, CopyState.READY))

    def want(
        self, backup: Backup, host: DockerHost | None, requested_by: str, registry: str
    ) -> bool:
        """Record the wish; return whether it is new. No host: in the registry."""
        place = f"host {host.pk}" if host else REGISTRY
        if self._want_again(backup, place, requested_by, registry):
            return True
        try:
            with transaction.atomic():
                self.create(
                    backup=backup,
                    place=place,
                    host=host,
                    registry=registry,
                    requested_by=requested_by[:255],
                )
        except IntegrityError:
            # It is there: under way, or has just ended.
            return self._want_again(backup, place, requested_by, registry)
        return True

    def _want_again(
        self, backup: Backup, place: str, requested_by: str, registry: str
    ) -> bool:
        ended = self.filter(backup=backup, place=place, state__in=ENDED)
        return bool(
            ended.update(
                state=CopyState.WANTED,
                crashes=0,
                progress="",
                error="",
                registry=registry,
                requested_by=requested_by[:255],
                wanted_at=Now(),
                finished_at=None,
            )
        )

    def claim_next(self, owner: str) -> "BackupCopy | None":
        """Take the oldest wish, or what a dead worker has left; None if all is done."""
        due = self.filter(
            Q(state=CopyState.WANTED)
            | Q(state=CopyState.WORKING, leased_until__lt=Now())
        )
        rows = due.select_related("host", "backup__host")
        for row in rows.order_by("wanted_at", "pk")[:8]:
            if row.claim(owner):
                return row
        return None

    def renew(self, owner: str) -> None:
        """Prolong what the owner is at, however long Docker says nothing."""
        mine = self.filter(owner=owner, state=CopyState.WORKING)
        mine.update(leased_until=Now() + _lease())

    def release(self, owner: str) -> int:
        """Hand the owner's work back for anyone to begin anew."""
        mine = self.filter(owner=owner, state=CopyState.WORKING)
        return mine.update(state=CopyState.WANTED, owner="", leased_until=None)


class BackupCopy(models.Model):
    """One backup in one more place. Writes are fenced as an operation's."""

    State = CopyState

    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="copies")
    place = models.CharField(max_length=50)
    """Not the host alone: where there is none, a database would let in any number."""
    host = models.ForeignKey(
        DockerHost, on_delete=models.PROTECT, null=True, related_name="backup_copies"
    )
    registry = models.CharField(max_length=255, blank=True)
    """How its image is called there, without the tag; empty on a host."""
    state = models.CharField(max_length=20, choices=CopyState, default=CopyState.WANTED)
    sent_bytes = models.BigIntegerField(null=True)
    """What had to be sent: without the layers that the host had."""
    digest = models.CharField(max_length=100, blank=True)
    """By which the registry knows it."""
    requested_by = models.CharField(max_length=255)
    progress = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    """How many attempts since the wish ended without a word."""
    leased_until = models.DateTimeField(null=True)
    wanted_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    """When it was last seen to be there, the same image as the backup's own."""
    finished_at = models.DateTimeField(null=True)

    objects = BackupCopyQuerySet.as_manager()

    class Meta:
        ordering = ["wanted_at"]
        verbose_name_plural = "backup copies"
        constraints = [
            models.UniqueConstraint(
                fields=["backup", "place"], name="copy_once_per_place"
            )
        ]

    def __str__(self) -> str:
        return f"{self.backup} in {self.where}"

    @property
    def where(self) -> str:
        return str(self.host) if self.host else f"registry {self.registry}"

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    def claim(self, owner: str) -> bool:
        """Take it, if it still is as it was read."""
        rows = BackupCopy.objects.filter(
            pk=self.pk, state=self.state, attempts=self.attempts
        )
        is_left_behind = self.state == CopyState.WORKING
        if is_left_behind:
            rows = rows.filter(leased_until__lt=Now())
        claimed = rows.update(
            state=CopyState.WORKING,
            owner=owner,
            attempts=F("attempts") + 1,
            crashes=F("crashes") + int(is_left_behind),
            leased_until=Now() + _lease(),
        )
        if claimed:
            self.refresh_from_db()
        return bool(claimed)

    def note(self, progress: str) -> None:
        """Say how far it is. Raise LeaseLost."""
        self._write(progress=progress[:255], leased_until=Now() + _lease())

    def succeed(self, *, sent_bytes: int | None, digest: str = "") -> None:
        self._finish(
            CopyState.READY, sent_bytes=sent_bytes, digest=digest, checked_at=Now()
        )

    def fail(self, error: errors.BrokerError) -> None:
        self._finish(CopyState.FAILED, error=error.detail)

    def move(self, to: str, *, only_from: tuple[str, ...], **changes: object) -> bool:
        """Whether it was in one of those states."""
        rows = BackupCopy.objects.filter(pk=self.pk, state__in=only_from)
        return bool(rows.update(state=to, **changes))

    def _finish(self, state: str, **changes: object) -> None:
        self._write(
            **{"error": "", **changes},
            state=state,
            progress="",
            leased_until=None,
            finished_at=Now(),
        )
        self.state = state

    def _write(self, **changes: object) -> None:
        held = BackupCopy.objects.filter(
            pk=self.pk,
            owner=self.owner,
            attempts=self.attempts,
            state=CopyState.WORKING,
        )
        if not held.update(**changes):
            raise errors.LeaseLost(detail=f"{self} has another owner")


def _lease() -> timedelta:
    return timedelta(seconds=settings.OPERATION_LEASE_S)
