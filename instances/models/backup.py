"""Backups: images that hold an instance's data as it was at one moment."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances import errors
from instances.models.clock import claim_until
from instances.models.docker_host import DockerHost
from instances.models.operation import Operation
from instances.models.operation_lookups import UNFINISHED
from instances.models.service_instance import ServiceInstance
from instances.models.service_offering import ServicePlan
from instances.models.state import StatefulModel

REPOSITORY = "brokersite/backup"


class BackupState(models.TextChoices):
    TAKING = "taking", "being taken"
    COMMITTED = "committed", "not proved yet"
    VERIFIED = "verified"
    FAILED = "failed"
    MISSING = "missing"
    EXPIRING = "expiring", "being removed"
    GONE = "gone"


class Method(models.TextChoices):
    PAUSED = "paused"
    HOT = "hot"


class Trigger(models.TextChoices):
    OPERATOR = "operator"
    DEVELOPER = "developer"
    SCHEDULE = "schedule"
    EVENT = "event"
    RESTORE = "restore", "before a restore"
    MOVE = "move", "before a move"
    DEPROVISION = "deprovision", "before the deprovision"
    UPLOAD = "upload", "uploaded"


class BackupQuerySet(models.QuerySet["Backup"]):
    def usable(self) -> "BackupQuerySet":
        """Proved, and still there."""
        return self.filter(state=BackupState.VERIFIED)

    def unproved(self) -> "BackupQuerySet":
        """Committed, and nobody is at work on the proof."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
        return self.filter(free, state=BackupState.COMMITTED)

    def leftover(self) -> "BackupQuerySet":
        """Failed or unwanted, with an image that may still be there."""
        states = (BackupState.FAILED, BackupState.EXPIRING)
        return self.filter(state__in=states, gone_at=None)

    def abandoned(self) -> "BackupQuerySet":
        """Being taken, by an operation that has ended."""
        taking = self.filter(state=BackupState.TAKING)
        return taking.exclude(operation__state__in=UNFINISHED)


class Backup(StatefulModel):
    """A committed image. It is worth nothing until a proof has found the data in it."""

    State = BackupState
    Method = Method

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    instance = models.ForeignKey(
        ServiceInstance, on_delete=models.PROTECT, related_name="backups"
    )
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="backups"
    )
    """What takes it."""
    host = models.ForeignKey(
        DockerHost, on_delete=models.PROTECT, related_name="backups"
    )
    plan = models.ForeignKey(ServicePlan, on_delete=models.PROTECT, related_name="+")
    engine = models.CharField(max_length=50)
    database = models.CharField(max_length=32)
    """The database's name inside."""
    made_from = models.CharField("made from image", max_length=255)
    memory_mb = models.PositiveIntegerField("memory (MiB)")
    """What the database had: a proof, or another instance, needs as much."""
    state = models.CharField(
        max_length=20, choices=BackupState, default=BackupState.TAKING
    )
    trigger = models.CharField(max_length=20, choices=Trigger)
    method = models.CharField(
        max_length=10, choices=Method, default=Method.PAUSED, db_default=Method.PAUSED
    )
    note = models.CharField(max_length=255, blank=True)
    requested_by = models.CharField(max_length=255)
    image_id = models.CharField(max_length=100, blank=True)
    size_bytes = models.BigIntegerField(null=True)
    delta_bytes = models.BigIntegerField(null=True)
    """Without the layers of the image that the container was made from."""
    layers = models.PositiveIntegerField(null=True)
    held_ms = models.PositiveIntegerField("writers held (ms)", null=True)
    """Paused: how long the commit took; hot: the longest that one write took."""
    inventory = models.JSONField(default=dict)
    """{"before": counts, "after": counts, "found": counts}, see Engine.inventory."""
    problem = models.TextField(blank=True)
    proofs = models.PositiveIntegerField(default=0)
    """How many proofs have been begun."""
    claimed_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    taken_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    """Kept at least so long, then removed; null: as the plan's retention says."""
    gone_at = models.DateTimeField(null=True)
    """When its image was seen to be gone."""
    origin = models.UUIDField(null=True, editable=False)
    """The backup that it came out of as a file, perhaps another broker's."""
    archive_sha256 = models.CharField(max_length=64, default="", db_default="")
    """Of the file that its download is; empty until the first one has ended."""
    archive_bytes = models.BigIntegerField(null=True)
    archive_recipe = models.CharField(max_length=50, default="", db_default="")
    """What made that file: another recipe would make another one."""

    objects = BackupQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [
            ("restore_backup", "Can restore backup"),
            ("clone_backup", "Can make service instance of backup"),
            ("copy_backup", "Can copy backup to another place"),
            ("download_backup", "Can download and export backup"),
        ]
        indexes = [
            models.Index(fields=["state", "claimed_until"]),
            models.Index(fields=["instance", "state"]),
        ]

    def __str__(self) -> str:
        return f"backup of {self.instance} at {self.created_at:%Y-%m-%d %H:%M:%S}"

    @property
    def reference(self) -> str:
        """The image's name and tag: the same at every try."""
        return f"{REPOSITORY}:{self.id.hex}"

    @property
    def witness(self) -> str:
        """What the engine writes into the data just before the commit."""
        return (self.origin or self.id).hex

    def claim(self, **changes: Any) -> None:
        """Take it for a proof. Raise LeaseLost if another worker has it."""
        free = Backup.objects.unproved().filter(pk=self.pk)
        until = claim_until(Backup.objects.filter(pk=self.pk))
        if not free.update(claimed_until=until, **changes):
            raise errors.LeaseLost(detail=f"{self} is being proved elsewhere")
        self.claimed_until = until

    def hold(self) -> None:
        """Prolong the claim. Raise LeaseLost."""
        rows = Backup.objects.filter(pk=self.pk)
        until = claim_until(rows)
        mine = rows.filter(
            claimed_until=self.claimed_until, state=BackupState.COMMITTED
        )
        if not mine.update(claimed_until=until):
            raise errors.LeaseLost(detail=f"{self} was taken away")
        self.claimed_until = until

    def fail(self, problem: str, *, only_from: tuple[str, ...]) -> None:
        """It is no backup; its image goes. Raise ConcurrencyError."""
        self.move(BackupState.FAILED, only_from=only_from, problem=problem)
