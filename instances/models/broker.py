"""Who this broker is, who may call it, and which workers serve it."""

import uuid
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import connection, models
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare, salted_hmac

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
    proof = models.CharField(max_length=64, blank=True, editable=False)
    """A digest under SECRET_KEY: it knows the password at once, without the hash."""
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["username"]
        verbose_name = "broker login"

    def __str__(self) -> str:
        return self.username

    @classmethod
    def find_active(cls, username: str) -> "BrokerCredential | None":
        """The active login of that name, read anew: a withdrawn one is refused."""
        if "\0" in username:
            return None  # PostgreSQL would not even look
        # As text: at every request, the ORM would take longer than all the rest.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, username, password_hash, proof"
                " FROM instances_brokercredential WHERE username = %s AND active",
                [username],
            )
            # MySQL takes names in other letters for the same.
            rows = [row for row in cursor.fetchall() if row[1] == username]
        names = ("pk", "username", "password_hash", "proof")
        return cls(**dict(zip(names, rows[0], strict=True))) if rows else None

    def set_password(self, password: str) -> None:
        # scrypt: as slow for a thief as the default, and kinder to the first request.
        self.password_hash = make_password(password, hasher="scrypt")
        self.proof = prove(password, self.password_hash)

    def knows(self, password: str) -> bool:
        """Whether it is the password; False too if SECRET_KEY has changed since."""
        return constant_time_compare(prove(password, self.password_hash), self.proof)

    def remember(self, password: str) -> None:
        """Know it from now on: the slow hash has found it right."""
        rows = type(self).objects.filter(pk=self.pk, password_hash=self.password_hash)
        rows.update(proof=prove(password, self.password_hash))


def prove(password: str, password_hash: str) -> str:
    text = f"{password_hash}\0{password}"
    return salted_hmac("brokersite.login", text, algorithm="sha256").hexdigest()


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
