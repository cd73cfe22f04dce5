"""What a plan says about backups of its service instances."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from instances.models.backup_clock import check_cron


class BackupMethod(models.TextChoices):
    AUTO = "auto", "by the size of the data"
    PAUSED = "paused", "paused"
    HOT = "hot", "hot"


class BackupPolicy(models.Model):
    """Part of a plan: when backups are taken and how, and how long they are kept."""

    backup_method = models.CharField(
        "backup method",
        max_length=10,
        choices=BackupMethod,
        default=BackupMethod.AUTO,
        db_default=BackupMethod.AUTO,
        help_text="Paused holds writers longer the more data there is; hot holds them "
        "about 100 ms, and takes longer itself.",
        error_messages={
            "invalid_choice": "How backups are taken: give auto, paused or hot."
        },
    )
    backup_interval_h = models.PositiveIntegerField(
        "backup every (hours)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 31)],
        help_text="Empty: none is taken by the clock.",
    )
    backup_cron = models.CharField(
        "backup at (cron, UTC)",
        max_length=100,
        blank=True,
        default="",
        db_default="",
        validators=[check_cron],
        help_text="Such as 30 2 * * * for 02:30 UTC each night, instead of the hours.",
    )
    backup_keep = models.PositiveIntegerField(
        "backups kept",
        null=True,
        blank=True,
        default=7,
        validators=[MinValueValidator(1)],
        help_text="At most so many verified ones of an instance; empty: no limit.",
    )
    backup_keep_days = models.PositiveIntegerField(
        "backups kept (days)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Older ones go, but never the last verified one; empty: no limit.",
    )
    backup_keep_gib = models.PositiveIntegerField(
        "backups kept (GiB)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The oldest go when an instance's own take more; empty: no limit.",
    )
    backup_on_bind = models.BooleanField(
        "backup after each bind",
        default=False,
        help_text="Soon after; binds do not wait.",
    )
    backup_on_update = models.BooleanField(
        "backup before each update",
        default=False,
        db_default=False,
        help_text="Before another plan or other parameters; a new name needs none.",
    )
    backup_on_upgrade = models.BooleanField(
        "backup before an upgrade",
        default=True,
        db_default=True,
        help_text="Before the image changes.",
    )
    final_backup_days = models.PositiveIntegerField(
        "final backup kept (days)",
        default=7,
        validators=[MaxValueValidator(3650)],
        help_text="A deprovision takes a last backup, which is kept so long; 0: none.",
    )
    backup_by_developer = models.BooleanField(
        "app developers may back up and restore",
        default=True,
        help_text="By cf update-service -c '{\"backup\": {}}' and '{\"restore\": …}'.",
    )

    class Meta:
        abstract = True
