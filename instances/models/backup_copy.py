"""Copies of backups: the same image in another place."""

from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now

from instances.models.backup import Backup
from instances.models.docker_host import DockerHost
from instances.models.leased_work import UNDER_WAY, LeasedQuerySet, LeasedWork

REGISTRY = "registry"


class CopyState(models.TextChoices):
    WANTED = "wanted"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    EXPIRING = "expiring", "being removed"
    GONE = "gone"


ENDED = (CopyState.FAILED, CopyState.GONE)


class BackupCopyQuerySet(LeasedQuerySet["BackupCopy"]):
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
        return ended.want_again(registry=registry, requested_by=requested_by[:255])


class BackupCopy(LeasedWork):
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
    checked_at = models.DateTimeField(null=True)
    """When it was last seen to be there, the same image as the backup's own."""

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

    def succeed(self, *, sent_bytes: int | None, digest: str = "") -> None:
        self._finish(
            CopyState.READY, sent_bytes=sent_bytes, digest=digest, checked_at=Now()
        )

    def move(self, to: str, *, only_from: tuple[str, ...], **changes: object) -> bool:
        """Whether it was in one of those states."""
        rows = BackupCopy.objects.filter(pk=self.pk, state__in=only_from)
        return bool(rows.update(state=to, **changes))
