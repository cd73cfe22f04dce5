"""Images that operators want on a host before anyone needs them there."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from instances import errors
from instances.models.docker_host import DockerHost

MOST_CRASHES = 3
"""An image whose build ends its worker as often as that is given up."""


class HostImageState(models.TextChoices):
    WANTED = "wanted"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"


UNDER_WAY = (HostImageState.WANTED, HostImageState.WORKING)


class HostImageQuerySet(models.QuerySet["HostImage"]):
    def under_way(self) -> "HostImageQuerySet":
        return self.filter(state__in=UNDER_WAY)

    def want(self, host: DockerHost, image: str) -> bool:
        """Record the wish; return whether it was not under way already."""
        if self._want_again(host, image):
            return True
        try:
            with transaction.atomic():
                self.create(host=host, image=image)
        except IntegrityError:
            # It is there: under way, or has just ended.
            return self._want_again(host, image)
        return True

    def _want_again(self, host: DockerHost, image: str) -> bool:
        ended = self.filter(host=host, image=image).exclude(state__in=UNDER_WAY)
        return bool(
            ended.update(
                state=HostImageState.WANTED,
                crashes=0,
                progress="",
                error="",
                wanted_at=Now(),
                finished_at=None,
            )
        )

    def claim_next(self, owner: str) -> "HostImage | None":
        """Take the oldest wish, or what a dead worker has left; None if all is done."""
        due = self.filter(
            Q(state=HostImageState.WANTED)
            | Q(state=HostImageState.WORKING, leased_until__lt=Now())
        )
        for row in due.select_related("host").order_by("wanted_at", "pk")[:8]:
            if row.claim(owner):
                return row
        return None

    def renew(self, owner: str) -> None:
        """Prolong what the owner is at, however long Docker says nothing."""
        mine = self.filter(owner=owner, state=HostImageState.WORKING)
        mine.update(leased_until=Now() + _lease())

    def release(self, owner: str) -> int:
        """Hand the owner's work back for anyone to begin anew."""
        mine = self.filter(owner=owner, state=HostImageState.WORKING)
        return mine.update(state=HostImageState.WANTED, owner="", leased_until=None)


class HostImage(models.Model):
    """One image on one host: the last wish to have it there, and how that went.

    Whether it is there now, only Docker knows. Writes are fenced as an operation's.
    """

    State = HostImageState

    host = models.ForeignKey(
        DockerHost, on_delete=models.CASCADE, related_name="images"
    )
    image = models.CharField(max_length=255)
    state = models.CharField(
        max_length=20, choices=HostImageState, default=HostImageState.WANTED
    )
    progress = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    """How many attempts since the wish ended without a word."""
    leased_until = models.DateTimeField(null=True)
    wanted_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = HostImageQuerySet.as_manager()

    class Meta:
        ordering = ["host", "image"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "image"], name="image_once_per_host"
            )
        ]

    def __str__(self) -> str:
        return f"{self.image} on {self.host}"

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    def claim(self, owner: str) -> bool:
        """Take it, if it still is as it was read."""
        rows = HostImage.objects.filter(
            pk=self.pk, state=self.state, attempts=self.attempts
        )
        is_left_behind = self.state == HostImageState.WORKING
        if is_left_behind:
            rows = rows.filter(leased_until__lt=Now())
        claimed = rows.update(
            state=HostImageState.WORKING,
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

    def succeed(self) -> None:
        self._finish(HostImageState.READY)

    def fail(self, error: errors.BrokerError) -> None:
        self._finish(HostImageState.FAILED, error=error.detail)

    def _finish(self, state: str, error: str = "") -> None:
        self._write(
            state=state, error=error, progress="", leased_until=None, finished_at=Now()
        )
        self.state = state

    def _write(self, **changes: object) -> None:
        held = HostImage.objects.filter(
            pk=self.pk,
            owner=self.owner,
            attempts=self.attempts,
            state=HostImageState.WORKING,
        )
        if not held.update(**changes):
            raise errors.LeaseLost(detail=f"{self} has another owner")


def _lease() -> timedelta:
    return timedelta(seconds=settings.OPERATION_LEASE_S)
