"""Images that operators want on a host before anyone needs them there."""

from django.db import IntegrityError, models, transaction

from instances.models.docker_host import DockerHost
from instances.models.leased_work import READY, UNDER_WAY, LeasedQuerySet, LeasedWork


class HostImageState(models.TextChoices):
    WANTED = "wanted"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"


class HostImageQuerySet(LeasedQuerySet["HostImage"]):
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
        return ended.want_again()


class HostImage(LeasedWork):
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

    def succeed(self) -> None:
        self._finish(READY)
