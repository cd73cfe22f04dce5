"""The brake: so much is missing on a Docker host that an operator is asked first."""

from django.db import models
from django.db.models.functions import Now


class Brake(models.Model):
    """A daemon that has lost its list must not have a thousand databases given up."""

    braked_at = models.DateTimeField(null=True, editable=False)
    missing = models.PositiveIntegerField(null=True, editable=False)
    """How many containers were, when they were last counted."""
    conceded = models.PositiveIntegerField(null=True, editable=False)
    """So many an operator says are really gone: that passes, once."""

    class Meta:
        abstract = True

    @property
    def is_braked(self) -> bool:
        return self.braked_at is not None

    def brake(self, missing: int) -> bool:
        """Do nothing here until an operator has looked; whether that is new."""
        mine = type(self)._default_manager.filter(pk=self.pk)
        mine.filter(braked_at__isnull=False).exclude(missing=missing).update(
            missing=missing
        )
        changes = {"braked_at": Now(), "missing": missing, "conceded": None}
        return bool(mine.filter(braked_at=None).update(**changes))

    def concede(self, missing: int) -> bool:
        """Let the brake pass so many; whether that is what was counted last."""
        mine = type(self)._default_manager.filter(pk=self.pk, braked_at__isnull=False)
        changes = {"conceded": missing, "reconcile_after": None}
        return bool(mine.filter(missing=missing).update(**changes))

    def unbrake(self) -> None:
        if self.is_braked or self.conceded is not None:
            changes = {"braked_at": None, "missing": None, "conceded": None}
            type(self)._default_manager.filter(pk=self.pk).update(**changes)
            self.braked_at = self.missing = self.conceded = None
