"""Samples: how hosts and containers were, minute by minute, for a week at most.

The rows are kept small, and the older they are the fewer. Those without "is_coarse" go
after a day; the others, one for ten minutes, after a week.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from instances.models.container import Container
from instances.models.docker_host import DockerHost

FINE_FOR = timedelta(days=1)
COARSE_FOR = timedelta(days=7)
COARSE = timedelta(minutes=10)
MOST_AT_ONCE = 500
"""Rows deleted in one statement."""


class SampleQuerySet(models.QuerySet[Any]):
    def of_slot(self, at: datetime) -> "SampleQuerySet":
        """Those of the same ten minutes that will stay."""
        seconds = at.timestamp() % COARSE.total_seconds()
        return self.filter(is_coarse=True, at__gt=at - timedelta(seconds=seconds))

    def over(self, now: datetime) -> "SampleQuerySet":
        """Those whose time is over, a batch of each kind."""
        fine = self.filter(is_coarse=False, at__lt=now - FINE_FOR)
        old = self.filter(is_coarse=True, at__lt=now - COARSE_FOR)
        keys = [
            key
            for rows in (fine, old)
            for key in rows.order_by("at").values_list("pk", flat=True)[:MOST_AT_ONCE]
        ]
        return self.filter(pk__in=keys)

    def counted(self, by: str, keys: Collection[Any], at: datetime) -> set[Any]:
        """Which of the keys have their coarse sample of these ten minutes."""
        rows = self.of_slot(at).filter(**{f"{by}__in": keys})
        return set(rows.order_by().values_list(by, flat=True))


class Sample(models.Model):
    at = models.DateTimeField()
    is_coarse = models.BooleanField(default=False, db_default=False)

    objects = SampleQuerySet.as_manager()

    class Meta:
        abstract = True


class HostSample(Sample):
    """What the rows said of a host; Docker is not asked for it."""

    # Without a constraint, which MariaDB would lock the host's row for: placement
    # wants that. What is left of a host that is deleted goes by its age.
    host = models.ForeignKey(
        DockerHost,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="samples",
    )
    memory_mb = models.PositiveIntegerField()
    given_mb = models.PositiveIntegerField()
    """What its containers hold of the memory budget."""
    free_bytes = models.BigIntegerField(null=True)
    ports = models.PositiveIntegerField()
    ports_used = models.PositiveIntegerField()
    containers = models.PositiveIntegerField()
    standbys = models.PositiveIntegerField()
    instances = models.PositiveIntegerField()
    operations_running = models.PositiveIntegerField()
    operations_failed = models.PositiveIntegerField()
    """In the ten minutes before it."""

    class Meta:
        indexes = [
            models.Index(fields=["host", "at"]),
            models.Index(fields=["is_coarse", "at"], name="host_samples_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.host_id} at {self.at}"


class ContainerSample(Sample):
    """What a container has used. Times and bytes count from its last start."""

    container = models.ForeignKey(
        Container,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="samples",
    )
    cpu_ms = models.BigIntegerField()
    memory_bytes = models.BigIntegerField()
    received_bytes = models.BigIntegerField()
    sent_bytes = models.BigIntegerField()
    read_bytes = models.BigIntegerField()
    written_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField(null=True)
    processes = models.PositiveIntegerField()
    connections = models.PositiveIntegerField(null=True)
    """Null: the engine does not know, or did not say."""

    class Meta:
        indexes = [
            models.Index(fields=["container", "at"]),
            models.Index(fields=["is_coarse", "at"], name="container_samples_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.container_id} at {self.at}"
