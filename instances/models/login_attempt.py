"""Failed logins of late, counted for all web processes together."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from instances.models.service_instance import digest

WINDOW = timedelta(minutes=15)
COOL_OFF = timedelta(minutes=15)
"""Trying on does not lengthen it."""
KEPT = timedelta(days=7)
MOST_FOR_A_NAME = 5
MOST_FOR_AN_ADDRESS = 50
"""For whatever names: who tries one password with each."""


class LoginAttemptQuerySet(models.QuerySet["LoginAttempt"]):
    def locked(self) -> "LoginAttemptQuerySet":
        return self.filter(locked_until__gt=Now())

    def begin(self, username: str, address: str) -> datetime | None:
        """Count an attempt before it is made; until when none is allowed, if so.

        Counted before: any number of guesses at once are no more than these.
        """
        for name, most in _sources(username):
            row = self._row(name, address)
            if not self._count(row, most):
                until = self.values_list("locked_until", flat=True)
                return until.filter(pk=row.pk).first() or timezone.now() + COOL_OFF
        return None

    def forgive(self, username: str, address: str) -> None:
        """The login has succeeded: what came before it was a slip.

        Not so for the address: else one known password would pay for any guesses.
        """
        self.filter(key=_key(username, address)).delete()
        alike = self.filter(key=_key("", address), failures__gt=0)
        alike.update(failures=F("failures") - 1)

    def _row(self, username: str, address: str) -> "LoginAttempt":
        given = {"username": username[:150], "address": address[:64], "last_at": Now()}
        row, is_new = self.get_or_create(key=_key(username, address), defaults=given)
        if is_new:
            self.filter(last_at__lt=Now() - KEPT).delete()
        return row

    def _count(self, row: "LoginAttempt", most: int) -> bool:
        """False if it was locked. The last one that is allowed locks the others out."""
        rows = self.filter(pk=row.pk)
        over = Q(locked_until__lte=Now())
        old = Q(locked_until__isnull=True, last_at__lte=Now() - WINDOW)
        rows.filter(over | old).update(failures=0, locked_until=None, last_at=Now())
        open_rows = rows.filter(locked_until__isnull=True, failures__lt=most)
        if not open_rows.update(failures=F("failures") + 1, last_at=Now()):
            full = rows.filter(locked_until__isnull=True, failures__gte=most)
            full.update(locked_until=Now() + COOL_OFF)
            return False
        return True


class LoginAttempt(models.Model):
    """Of one name from one address; without a name, of all names from there."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    username = models.CharField(max_length=150, blank=True)
    address = models.CharField(max_length=64)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    last_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField(null=True)

    objects = LoginAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at"]
        verbose_name = "failed login"
        permissions = [("unlock_loginattempt", "Can unlock after failed logins")]

    def __str__(self) -> str:
        return f"{self.username or 'all names'} from {self.address}"


def _sources(username: str) -> tuple[tuple[str, int], ...]:
    """The address first: locked, it makes no rows of ever other names."""
    return ("", MOST_FOR_AN_ADDRESS), (username, MOST_FOR_A_NAME)


def _key(username: str, address: str) -> str:
    # In small letters: to some databases, names in other letters are the same user.
    return digest("login", username.casefold(), address)
