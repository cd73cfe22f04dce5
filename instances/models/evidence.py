"""Evidence: what a container said before it was removed."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now

from instances.models.operation import Operation

KEPT_FOR = timedelta(days=7)


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    def expire(self) -> int:
        """Remove what is too old to be asked for."""
        return self.filter(taken_at__lt=Now() - KEPT_FOR).delete()[0]


class Evidence(models.Model):
    """Of a failed operation: no secret is in it, as far as one can be told."""

    operation = models.OneToOneField(
        Operation, on_delete=models.CASCADE, related_name="evidence"
    )
    text = models.TextField()
    taken_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = EvidenceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"evidence of {self.operation}"
