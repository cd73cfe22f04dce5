"""The registry of ports: one row for each that is leased, or rests."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances import errors
from instances.models.docker_host import DockerHost

REST = timedelta(seconds=60)
"""A released port rests: a late `create` may still claim it (FAILURES F112)."""
STRANGER_REST = timedelta(minutes=10)
"""How long a port that another program holds is left alone before a new try."""


class PortLeaseQuerySet(models.QuerySet["PortLease"]):
    def reserve(
        self,
        container: "models.Model",
        host: DockerHost,
        *,
        preferred: int | None = None,
    ) -> "PortLease":
        """Lease the preferred port, or the lowest that is free.

        Raise NoCapacity. Needs the host's row locked.
        """
        self.filter(host=host, resting_until__lte=Now()).delete()
        taken = set(self.filter(host=host).values_list("number", flat=True))
        numbers = range(host.port_min, host.port_max + 1)
        wish = [preferred] if preferred is not None and preferred in numbers else []
        for number in (*wish, *numbers):
            if number not in taken:
                return self.create(host=host, number=number, container=container)
        raise errors.NoCapacity(detail=f"host {host} has no free port")


class PortLease(models.Model):
    """One port of one host: leased to a container, or resting and nobody's."""

    host = models.ForeignKey(DockerHost, on_delete=models.PROTECT, related_name="ports")
    number = models.PositiveIntegerField()
    container = models.OneToOneField(
        "instances.Container",
        on_delete=models.PROTECT,
        null=True,
        related_name="lease",
    )
    resting_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=100, blank=True)

    objects = PortLeaseQuerySet.as_manager()

    class Meta:
        ordering = ["host", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "number"], name="one_lease_per_port"
            ),
            models.CheckConstraint(
                condition=Q(container__isnull=False, resting_until__isnull=True)
                | Q(container__isnull=True, resting_until__isnull=False),
                name="port_leased_or_resting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.number}"

    def release(self, *, rest: timedelta = REST, reason: str = "just released") -> None:
        """Give the port back; nobody gets it before it has rested."""
        PortLease.objects.filter(pk=self.pk, container=self.container_id).update(
            container=None, resting_until=Now() + rest, reason=reason
        )

    def rest_on(self, reason: str) -> None:
        """Something is there: nobody gets it for another while."""
        rows = PortLease.objects.filter(pk=self.pk, container=None)
        soon = rows.filter(resting_until__lt=Now() + STRANGER_REST / 2)
        soon.update(resting_until=Now() + STRANGER_REST, reason=reason)
