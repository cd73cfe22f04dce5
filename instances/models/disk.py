"""Disk space: how much a container may fill, and what happens when it has."""

from datetime import datetime

from django.db import models

MIB = 2**20
WARNING_SHARE = 0.8
RELIEF_SHARE = 0.95
"""What was held at its limit is let go below this, lest it goes back and forth."""
OVERRUN_SHARE = 0.2
"""A read-only database that grows by so much of its limit all the same is stopped."""

HELD_TO = ("disk_mb", "when_disk_full")
"""What the broker itself holds a container to, as its plan said when it got it."""


class WhenFull(models.TextChoices):
    READ_ONLY = "read_only", "read-only"
    STOP = "stop", "stopped"


class DiskState(models.TextChoices):
    FINE = "fine", "fine"
    WARNING = "warning", "nearly full"
    READ_ONLY = "read_only", "full: read-only"
    STOPPED = "stopped", "full: stopped"


HELD = (DiskState.READ_ONLY, DiskState.STOPPED)


class DiskUse(models.Model):
    """A container's limit, what was measured last, and what follows from it."""

    DiskState = DiskState

    disk_mb = models.PositiveIntegerField("disk (MiB)", null=True)
    when_disk_full = models.CharField(
        max_length=20, choices=WhenFull, default=WhenFull.READ_ONLY
    )
    disk_bytes = models.BigIntegerField(null=True, editable=False)
    """What it has written to its own layer."""
    disk_measured_at = models.DateTimeField(null=True, editable=False)
    disk_state = models.CharField(
        "disk", max_length=20, choices=DiskState, default=DiskState.FINE, editable=False
    )
    """What is wanted of the database; each measurement makes it so again."""
    held_bytes = models.BigIntegerField(null=True, editable=False)
    """What it had written when it was made read-only."""
    respite_until = models.DateTimeField(null=True, editable=False)
    """Until then an operator lets it go beyond its limit."""

    class Meta:
        abstract = True

    @property
    def disk_used_mb(self) -> int | None:
        return None if self.disk_bytes is None else -(-self.disk_bytes // MIB)

    def disk_verdict(self, now: datetime) -> str:
        """What is to become of the database, after what was measured last."""
        if self.disk_mb is None or self.disk_bytes is None:
            return DiskState.FINE
        share = self.disk_bytes / (self.disk_mb * MIB)
        if self._is_full(share, now):
            is_to_stop = (
                self.disk_state == DiskState.STOPPED
                or self.when_disk_full == WhenFull.STOP
                or self._has_grown_on(self.disk_mb)
            )
            return DiskState.STOPPED if is_to_stop else DiskState.READ_ONLY
        return DiskState.WARNING if share >= WARNING_SHARE else DiskState.FINE

    def _is_full(self, share: float, now: datetime) -> bool:
        if self.respite_until is not None and now < self.respite_until:
            return False
        return share >= (RELIEF_SHARE if self.disk_state in HELD else 1)

    def _has_grown_on(self, limit_mb: int) -> bool:
        if self.disk_state != DiskState.READ_ONLY:
            return False
        grown_bytes = (self.disk_bytes or 0) - (self.held_bytes or 0)
        return grown_bytes >= OVERRUN_SHARE * limit_mb * MIB
