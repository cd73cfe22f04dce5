"""Who this broker is, who may call it, and which workers serve it."""

import uuid
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import models
from django.db.models.functions import Now

from instances.encryption import EncryptedTextField

HEARTBEAT_LIMIT = timedelta(seconds=30)
"""A worker that has been silent for longer is taken for dead."""


class Broker(models.Model):
    """The one row that names this installation.

    Containers carry its id, so that two brokers on one Docker host never touch
    each other's, and `key_check` tells at start whether ENCRYPTION_KEYS fit.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    broker_id = models.UUIDField(default=uuid.uuid4, editable=False)
    key_check = EncryptedTextField(default="readable", editable=False)

    instance_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="At most so many service instances of all plans together; "
        "empty: no limit.",
    )

    class Meta:
        verbose_name = "broker"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_broker")
        ]

    def __str__(self) -> str:
        return str(self.broker_id)

    @classmethod
    def this(cls) -> "Broker":
        return cls.objects.get_or_create(id=1)[0]


class BrokerCredential(models.Model):
    """A login for a platform. Two may be valid at once, so they can be rotated."""

    username = models.CharField(max_length=150, unique=True)
    password_hash = models.CharField(max_length=255, editable=False)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["username"]
        verbose_name = "broker login"

    def __str__(self) -> str:
        return self.username

    def set_password(self, password: str) -> None:
        # scrypt: as slow for a thief as the default, and kinder to the first request.
        self.password_hash = make_password(password, hasher="scrypt")


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> "WorkerQuerySet":
        return self.filter(seen_at__gte=Now() - HEARTBEAT_LIMIT)

    def beat(self, name: str) -> None:
        """Note that the worker is alive now, by the database's clock."""
        if not self.filter(name=name).update(seen_at=Now()):
            self.create(name=name, seen_at=Now())


class Worker(models.Model):
    """A worker process's heartbeat."""

    name = models.CharField(max_length=100, unique=True)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name
