"""Docker hosts and their registry of ports."""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from instances import errors
from instances.addresses import REFUSAL, is_insecure

REST = timedelta(seconds=60)
"""A released port rests: a late `create` may still claim it (FAILURES F112)."""
STRANGER_REST = timedelta(minutes=10)
"""How long a port that another program holds is left alone before a new try."""

_port_limits = [MinValueValidator(1024), MaxValueValidator(65535)]


class HostState(models.TextChoices):
    ACTIVE = "active"
    CORDONED = "cordoned"


class DockerHost(models.Model):
    """One Docker Engine and the address at which its databases are reached."""

    State = HostState

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        "URL", max_length=255, unique=True, help_text="unix://PATH or tcp://HOST:PORT"
    )
    database_host = models.CharField(
        max_length=255, help_text="The host name or address that apps are given."
    )
    publish_address = models.GenericIPAddressField(
        help_text="The address on the host on which databases listen."
    )
    # Below 32768, where Linux's ephemeral range begins (FACTS §2).
    port_min = models.PositiveIntegerField(default=20000, validators=_port_limits)
    port_max = models.PositiveIntegerField(default=29999, validators=_port_limits)
    memory_mb = models.PositiveIntegerField(
        "memory budget (MiB)", help_text="What all databases together may be given."
    )
    reserve_mb = models.PositiveIntegerField(
        "disk kept free (MiB)",
        default=1024,
        db_default=1024,
        help_text="A backup or a restore that would leave less is refused.",
    )
    state = models.CharField(max_length=20, choices=HostState, default=HostState.ACTIVE)
    reached_at = models.DateTimeField("last contact", null=True, editable=False)
    problem = models.TextField(blank=True, editable=False)
    """Why the last contact failed; empty after a good one."""
    reconcile_after = models.DateTimeField(null=True, editable=False)
    measure_after = models.DateTimeField(null=True, editable=False)
    free_bytes = models.BigIntegerField("disk free", null=True, editable=False)
    """What Docker's disk had free when it was last asked; null: nobody could say."""
    free_measured_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(port_min__lte=F("port_max")), name="port_range_in_order"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if is_insecure(self.url) and not settings.ALLOW_INSECURE_DOCKER:
            raise ValidationError({"url": REFUSAL})
        if self.port_min and self.port_max and self.port_min > self.port_max:
            raise ValidationError({"port_max": "Give a number above the lowest port."})

    def free_memory_mb(self, *, without_standbys: bool = False) -> int:
        """What is left of the budget; a real request may count standbys as free."""
        states = ("starting", "standby", "adopting", "in_use")
        containers = self.containers.filter(state__in=states)
        if without_standbys:
            containers = containers.exclude(
                Q(state="standby") | Q(state="starting", claimed_until__isnull=False)
            )
        given = containers.aggregate(given=Sum("memory_mb"))
        return self.memory_mb - (given["given"] or 0)

    def reconcile_soon(self) -> None:
        """What is retiring goes at the next pass, not only at the regular one."""
        DockerHost.objects.filter(pk=self.pk).update(reconcile_after=None)

    def note_contact(self, problem: str = "") -> None:
        """Record that the host was reached just now, or why not."""
        changes: dict[str, object] = {"problem": problem}
        if not problem:
            changes["reached_at"] = Now()
        DockerHost.objects.filter(pk=self.pk).update(**changes)


class PortLeaseQuerySet(models.QuerySet["PortLease"]):
    def reserve(self, container: "models.Model", host: DockerHost) -> "PortLease":
        """Lease the lowest free port. Raise NoCapacity. Needs the host's row locked."""
        self.filter(host=host, resting_until__lte=Now()).delete()
        taken = set(self.filter(host=host).values_list("number", flat=True))
        for number in range(host.port_min, host.port_max + 1):
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
