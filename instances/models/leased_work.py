"""Work that one worker at a time does: what rows with a lease have in common.

A wish is claimed with a lease, renewed while the work goes on, and left to anybody
once that has run out. Writes are fenced by (id, owner, attempt), as an operation's.
"""

from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from instances import errors

MOST_CRASHES = 3
"""What ends its worker as often as that is given up."""
WANTED, WORKING, READY, FAILED = "wanted", "working", "ready", "failed"
UNDER_WAY = (WANTED, WORKING)

Row = TypeVar("Row", bound="LeasedWork")


class LeasedQuerySet(models.QuerySet[Row]):
    def under_way(self) -> Self:
        return self.filter(state__in=UNDER_WAY)

    def claim_next(self, owner: str) -> Row | None:
        """Take the oldest wish, or what a dead worker has left; None if all is done."""
        due = self.filter(Q(state=WANTED) | Q(state=WORKING, leased_until__lt=Now()))
        for row in due.order_by("wanted_at", "pk")[:8]:
            if row.claim(owner):
                return row
        return None

    def renew(self, owner: str) -> None:
        """Prolong what the owner is at, however long Docker says nothing."""
        mine = self.filter(owner=owner, state=WORKING)
        mine.update(leased_until=Now() + _lease())

    def release(self, owner: str) -> int:
        """Hand the owner's work back for anyone to begin anew."""
        mine = self.filter(owner=owner, state=WORKING)
        return mine.update(state=WANTED, owner="", leased_until=None)

    def want_again(self, **changes: Any) -> bool:
        """Whether one of these, which have ended, is wanted from now on."""
        return bool(
            self.update(
                state=WANTED,
                crashes=0,
                progress="",
                error="",
                wanted_at=Now(),
                finished_at=None,
                **changes,
            )
        )


class LeasedWork(models.Model):
    """Its subclass has a state, whose first four values are those above."""

    progress = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    """How many attempts since the wish ended without a word."""
    leased_until = models.DateTimeField(null=True)
    wanted_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    state: Any

    class Meta:
        abstract = True

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    def claim(self, owner: str) -> bool:
        """Take it, if it still is as it was read."""
        rows = self._rows(state=self.state, attempts=self.attempts)
        is_left_behind = self.state == WORKING
        if is_left_behind:
            rows = rows.filter(leased_until__lt=Now())
        claimed = rows.update(
            state=WORKING,
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

    def fail(self, error: errors.BrokerError) -> None:
        """Raise LeaseLost."""
        self._finish(FAILED, error=error.detail)

    def _finish(self, state: str, **changes: Any) -> None:
        ended = {"error": "", "progress": "", "leased_until": None} | changes
        self._write(state=state, finished_at=Now(), **ended)
        self.state = state

    def _write(self, **changes: Any) -> None:
        held = self._rows(owner=self.owner, attempts=self.attempts, state=WORKING)
        if not held.update(**changes):
            raise errors.LeaseLost(detail=f"{self} has another owner")

    def _rows(self, **values: Any) -> "models.QuerySet[Any]":
        return type(self)._default_manager.filter(pk=self.pk, **values)


def _lease() -> timedelta:
    return timedelta(seconds=settings.OPERATION_LEASE_S)
