"""How it stands with asking Cloud Controller: by one worker at a time."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

LEASE = timedelta(minutes=10)
"""After that another worker takes its place."""
FIRST_PAUSE_S = 60
LONGEST_PAUSE_S = 3600


class PlatformLookup(models.Model):
    """The one row; an installation that asks nobody needs none."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    due_at = models.DateTimeField(null=True, editable=False)
    """Null: at once."""
    asked_at = models.DateTimeField(null=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)
    """When it last said all that it was asked."""
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    """In a row, until now."""
    problem = models.TextField(default="", db_default="", editable=False)
    doubt = models.TextField(default="", db_default="", editable=False)
    """What it answered that is not believed."""
    instances = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    others = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    """So many were compared, and so many belong to other platforms, or to none."""

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_platform_lookup")
        ]

    def __str__(self) -> str:
        return "Cloud Controller"

    @classmethod
    def this(cls) -> "PlatformLookup":
        return cls.objects.get_or_create(id=1)[0]

    @classmethod
    def claim(cls) -> bool:
        """Whether it is due, and this caller's to do."""
        cls.this()
        due = cls.objects.filter(Q(due_at__isnull=True) | Q(due_at__lte=Now()))
        # Looked for first: this is asked every few seconds, and a write locks SQLite.
        return due.exists() and bool(due.update(due_at=Now() + LEASE, asked_at=Now()))

    @classmethod
    def succeed(
        cls, *, interval_s: int, doubt: str, instances: int, others: int
    ) -> None:
        cls.objects.update(
            due_at=Now() + timedelta(seconds=interval_s),
            answered_at=Now(),
            failures=0,
            problem="",
            doubt=doubt,
            instances=instances,
            others=others,
        )

    @classmethod
    def fail(cls, problem: str, *, retry_after_s: int = 0) -> None:
        """Ask again after a pause that doubles, or that it has asked for."""
        doubled_s = FIRST_PAUSE_S * 2 ** min(cls.this().failures, 10)
        pause_s = min(max(doubled_s, retry_after_s), LONGEST_PAUSE_S)
        cls.objects.update(
            due_at=Now() + timedelta(seconds=pause_s),
            failures=F("failures") + 1,
            problem=problem,
        )

    @classmethod
    def postpone(cls) -> None:
        """This process ends: another one may begin at once."""
        cls.objects.update(due_at=Now())
