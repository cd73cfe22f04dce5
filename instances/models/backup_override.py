"""What an operator has said about backups of one service instance, over its plan.

Only when they are taken by the clock and how long they are kept: what a plan says of
backups before an upgrade, an update and a deprovision cannot be taken away here, and
the last verified one stays whatever is said.
"""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from instances.models.backup_clock import Clock, check_cron, mistakes
from instances.models.service_instance import ServiceInstance
from instances.models.service_offering import ServicePlan

GIB = 2**30


class Schedule(models.TextChoices):
    PLAN = "plan", "as the plan says"
    OWN = "own", "as is said here"
    NONE = "none", "none by the clock"


class Retention(models.TextChoices):
    PLAN = "plan", "as the plan says"
    OWN = "own", "as is said here"


@dataclass(frozen=True)
class Limits:
    """How long an instance's backups are kept; None is no limit."""

    keep: int | None
    days: int | None
    gib: int | None

    def __str__(self) -> str:
        said = []
        if self.keep is not None:
            said.append(f"the latest {self.keep}")
        if self.days is not None:
            said.append(f"none older than {self.days} days")
        if self.gib is not None:
            said.append(f"{self.gib} GiB at most")
        return ", ".join(said) or "all of them"


class BackupOverride(models.Model):
    """One instance's own clock or limits."""

    instance = models.OneToOneField(
        ServiceInstance, on_delete=models.CASCADE, related_name="backup_override"
    )
    schedule = models.CharField(
        "backups by the clock",
        max_length=10,
        choices=Schedule,
        default=Schedule.PLAN,
    )
    interval_h = models.PositiveIntegerField(
        "backup every (hours)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 31)],
    )
    cron = models.CharField(
        "backup at (cron, UTC)", max_length=100, blank=True, validators=[check_cron]
    )
    retention = models.CharField(
        "backups are kept", max_length=10, choices=Retention, default=Retention.PLAN
    )
    keep = models.PositiveIntegerField(
        "backups kept", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    keep_days = models.PositiveIntegerField(
        "backups kept (days)", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    keep_gib = models.PositiveIntegerField(
        "backups kept (GiB)", null=True, blank=True, validators=[MinValueValidator(1)]
    )

    def __str__(self) -> str:
        return f"backups of {self.instance}"

    def clean(self) -> None:
        found = dict(mistakes(self.interval_h, self.cron, ("the hours", "cron")))
        if self.schedule != Schedule.OWN and (self.interval_h or self.cron):
            name = "cron" if self.cron else "interval_h"
            found[name] = f"Remove it, or choose “{Schedule.OWN.label}”."
        if self.schedule == Schedule.OWN and not (self.interval_h or self.cron):
            found["interval_h"] = "Give the hours or a cron expression."
        given = (self.keep, self.keep_days, self.keep_gib)
        if self.retention != Retention.OWN and any(given):
            found["retention"] = (
                f"Choose “{Retention.OWN.label}”, or remove the limits."
            )
        if found:
            raise ValidationError(found)


def clock_of(instance: ServiceInstance) -> Clock:
    """When its backups are asked for: by its own clock, or its plan's."""
    own = _override(instance)
    if own is None or own.schedule == Schedule.PLAN:
        return plan_clock(instance.plan)
    if own.schedule == Schedule.NONE:
        return Clock()
    return Clock(own.interval_h, own.cron)


def limits_of(instance: ServiceInstance) -> Limits:
    own = _override(instance)
    if own is not None and own.retention == Retention.OWN:
        return Limits(own.keep, own.keep_days, own.keep_gib)
    return plan_limits(instance.plan)


def plan_clock(plan: ServicePlan) -> Clock:
    return Clock(plan.backup_interval_h, plan.backup_cron)


def plan_limits(plan: ServicePlan) -> Limits:
    return Limits(plan.backup_keep, plan.backup_keep_days, plan.backup_keep_gib)


def _override(instance: ServiceInstance) -> BackupOverride | None:
    return getattr(instance, "backup_override", None)
