"""The catalog: what this broker offers to platforms."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from instances.models import backup_clock, catalog_rules
from instances.models.backup_policy import BackupPolicy
from instances.models.catalog_rules import Mistake
from instances.models.disk import WhenFull
from instances.models.docker_host import check_labels


class ServiceOffering(models.Model):
    """A kind of service, such as MariaDB. Its id never changes."""

    id = models.CharField(primary_key=True, max_length=255)
    name = models.CharField(max_length=255, unique=True)
    description = models.CharField(max_length=255)
    engine = models.CharField(max_length=50)
    bindable = models.BooleanField(default=True)
    plan_updateable = models.BooleanField(
        "plan can be changed",
        default=True,
        help_text="Whether cf update-service may move an instance to another plan.",
    )
    tags = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        catalog_rules.refuse(self._mistakes())

    def _mistakes(self) -> Iterator[Mistake]:
        yield from catalog_rules.texts(self, "name", "description")
        yield from catalog_rules.tags(self.tags)
        yield from catalog_rules.offering_metadata(self.metadata)
        yield from _clashes(self, ServiceOffering.objects.all())
        stored = ServiceOffering.objects.filter(pk=self.pk).first()
        if stored and stored.engine != self.engine and stored.has_had_instances():
            yield (
                "engine",
                f"It stays {stored.engine}: this offering has or had service "
                "instances. Add another offering for another engine.",
            )

    def has_had_instances(self) -> bool:
        return self.plans.filter(instances__isnull=False).exists()


class ServicePlanQuerySet(models.QuerySet["ServicePlan"]):
    def lock(self, pk: str) -> None:
        """Until the transaction ends, no instance of it is recorded by others."""
        list(self.select_for_update().filter(pk=pk).values_list("pk"))


class ServicePlan(BackupPolicy):
    """What an instance of the offering gets: image, limits, price."""

    id = models.CharField(primary_key=True, max_length=255)
    offering = models.ForeignKey(
        ServiceOffering, on_delete=models.PROTECT, related_name="plans"
    )
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255)
    free = models.BooleanField(default=True)
    metadata = models.JSONField(default=dict, blank=True)
    image = models.CharField(max_length=255)
    settings = models.JSONField(default=dict, blank=True)
    """How the image is started, if the offering's engine has to be told."""
    memory_mb = models.PositiveIntegerField(
        "memory (MiB)", default=256, validators=[MinValueValidator(64)]
    )
    cpus = models.DecimalField(max_digits=5, decimal_places=2, default=1)
    pids = models.PositiveIntegerField(
        "processes", default=200, validators=[MinValueValidator(20)]
    )
    connections = models.PositiveIntegerField(
        "connections per binding", default=20, validators=[MinValueValidator(1)]
    )
    binding_lifetime_days = models.PositiveIntegerField(
        "lifetime of bindings (days)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="New bindings stop working after so many days, and the platform is "
        "told when to renew them; empty: they live until they are deleted.",
    )
    disk_mb = models.PositiveIntegerField(
        "disk (MiB)",
        null=True,
        blank=True,
        validators=[
            MinValueValidator(64, "Give at least 64 MiB, or nothing for no limit.")
        ],
        help_text="What a database may write to its container; empty: no limit.",
    )
    when_disk_full = models.CharField(
        "when the disk is full",
        max_length=20,
        choices=WhenFull,
        default=WhenFull.READ_ONLY,
        error_messages={
            "invalid_choice": "What a full database becomes: give read_only or stop."
        },
    )
    maintenance_version = models.CharField(
        max_length=100,
        blank=True,
        help_text="SemVer 2.0, such as 1.0.0. Raise it when the image has changed. "
        "Instances with another version are shown as behind until they are upgraded.",
    )
    maintenance_description = models.CharField(
        max_length=255, blank=True, help_text="What an upgrade means for the app."
    )
    instance_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="At most so many instances; empty: no limit."
    )
    organization_limit = models.PositiveIntegerField(
        "limit per organization",
        null=True,
        blank=True,
        help_text="At most so many instances for each organization; empty: no limit.",
    )
    standby = models.PositiveIntegerField(
        "standby containers",
        default=0,
        help_text="So many started databases wait for the next service instances.",
    )
    host_labels = models.CharField(
        "labels of hosts",
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[check_labels],
        help_text="Only Docker hosts with all of these labels get its databases, such "
        "as ssd zone=a; empty: every host.",
    )
    maximum_polling_duration = models.PositiveIntegerField(
        "maximum polling duration (s)",
        default=900,
        validators=[MinValueValidator(120)],
        help_text="The platform waits this long; the broker gives up a minute earlier.",
    )
    active = models.BooleanField(default=True)

    objects = ServicePlanQuerySet.as_manager()

    class Meta:
        ordering = ["offering__name", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["offering", "name"], name="plan_name_once_per_offering"
            )
        ]

    def __str__(self) -> str:
        return f"{self.offering_id and self.offering.name}/{self.name}"

    def clean(self) -> None:
        catalog_rules.refuse(self._mistakes())
        # Some databases compare JSON as text.
        self.settings = json.loads(json.dumps(self.settings, sort_keys=True))

    def _mistakes(self) -> Iterator[Mistake]:
        yield from catalog_rules.texts(self, "name", "description", "image")
        yield from catalog_rules.image(self.image)
        yield from catalog_rules.settings(self.settings)
        yield from catalog_rules.plan_metadata(self.metadata)
        yield from catalog_rules.maintenance(
            self.maintenance_version, self.maintenance_description
        )
        clock = (self.backup_interval_h, self.backup_cron)
        names = ("backup_interval_h", "backup_cron")
        yield from backup_clock.mistakes(*clock, names)
        siblings = ServicePlan.objects.filter(offering=self.offering_id)
        yield from _clashes(self, siblings)
        if isinstance(self.cpus, Decimal) and self.cpus <= 0:
            yield "cpus", "Give more than 0 CPUs."
        stored = ServicePlan.objects.filter(pk=self.pk).first()
        if stored is not None and stored.offering_id != self.offering_id:
            yield (
                "offering",
                f"It stays a plan of {stored.offering}: platforms remember it there. "
                "Add a plan with another id.",
            )

    def has_had_instances(self) -> bool:
        return self.instances.exists()

    @property
    def operation_deadline_s(self) -> int:
        """Seconds an operation may take, below what the platform waits."""
        return self.maximum_polling_duration - 60


def _clashes(
    row: ServiceOffering | ServicePlan, siblings: models.QuerySet[Any]
) -> Iterator[Mistake]:
    """Cloud Controller's columns do not tell upper from lower case."""
    if row.pk and _is_taken(row):
        yield "id", "Another offering or plan has this id: give one of its own."
    if siblings.exclude(pk=row.pk).filter(name__iexact=row.name).exists():
        yield (
            "name",
            f"Another {row._meta.verbose_name} has this name, or one that differs in "
            "upper and lower case only: give one of its own.",
        )


def _is_taken(row: ServiceOffering | ServicePlan) -> bool:
    """Whether another row has the id, not counting the row itself."""
    for model in (ServiceOffering, ServicePlan):
        same = model._default_manager.filter(pk__iexact=row.pk)
        if isinstance(row, model):
            same = same.exclude(pk=row.pk)
        if same.exists():
            return True
    return False
