"""Tombstones: deletions of what was not there, for creations that come after them.

A creation may wait before the web process for longer than its platform waits for it.
The platform then deletes what it takes to be there, and hears that it is not; what is
executed after that would be nobody's (FAILURES F5, F72).
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Now

from instances import errors
from instances.models.service_instance import digest

KEPT = timedelta(minutes=10)
"""Older creations are refused by their age alone: see osbapi/age.py."""


class TombstoneQuerySet(models.QuerySet["Tombstone"]):
    def bury(self, *guids: str) -> None:
        """Write that there was none just now. Belongs where none can be recorded."""
        self.update_or_create(key=_key(guids), defaults={"at": Now()})

    def refuse_late(self, *guids: str, asked_at: datetime | None) -> None:
        """Raise Conflict for a creation that is older, or that says nothing of its age.

        Belongs into the transaction that records it, behind the lock that whoever
        buries it takes.
        """
        rows = self.filter(key=_key(guids), at__gt=Now() - KEPT)
        if asked_at is not None:
            rows = rows.filter(at__gte=asked_at)
        if rows.exists():
            raise errors.Conflict(
                "This id was deleted after its creation had been asked for, or a "
                "moment ago: use another id.",
                detail=f"{' '.join(guids)[:200]}, asked for at {asked_at}: a deletion "
                "has found nothing of late",
            )

    def prune(self) -> None:
        self.filter(at__lte=Now() - KEPT).delete()


class Tombstone(models.Model):
    """Of a service instance, or of a service binding of one."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    """A digest: whatever ids are deleted, the row is as short."""
    at = models.DateTimeField(db_index=True)

    objects = TombstoneQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.key[:12]} at {self.at}"


def _key(guids: tuple[str, ...]) -> str:
    return digest("tombstone", *guids)
