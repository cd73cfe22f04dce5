"""When backups are asked for by the clock: every so many hours, or by cron in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from cronsim import CronSim, CronSimError
from django.core.exceptions import ValidationError

LEAST = timedelta(hours=1)
"""Writers are held for each of them."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKED_AT = 200
"""So many of an expression's moments are looked at for two that are too near."""


@dataclass(frozen=True)
class Clock:
    """At most one of the two; none: nothing is asked for."""

    interval_h: int | None = None
    cron: str = ""

    def __bool__(self) -> bool:
        return bool(self.interval_h or self.cron)

    def __str__(self) -> str:
        if self.cron:
            return f"{CronSim(self.cron, _ANY_DAY).explain()} UTC ({self.cron})"
        return f"every {self.interval_h} hours" if self.interval_h else "never"

    def next_after(self, since: datetime) -> datetime | None:
        """When the next one is due, if the last one was asked for then."""
        if self.cron:
            return next(CronSim(self.cron, since.astimezone(UTC)), None)
        return since + timedelta(hours=self.interval_h) if self.interval_h else None

    def last_before(self, now: datetime) -> datetime | None:
        """The moment since which one must have been asked for."""
        if self.cron:
            return next(CronSim(self.cron, now.astimezone(UTC), reverse=True), None)
        return now - timedelta(hours=self.interval_h) if self.interval_h else None

    def count_between(self, since: datetime, until: datetime, most: int = 24) -> int:
        """How many are due in that time, the last one asked for at its beginning."""
        number, at = 0, self.next_after(since)
        while at is not None and at <= until and number < most:
            number, at = number + 1, self.next_after(at)
        return number


def check_cron(text: str) -> None:
    """Raise ValidationError unless these are five fields, at most once an hour."""
    if len(text.split()) != 5:
        raise ValidationError(
            "Give five fields: minute, hour, day of the month, month and day of the "
            "week, in UTC; such as 30 2 * * * for 02:30 each night."
        )
    try:
        moments = list(islice(CronSim(text, _ANY_DAY), _LOOKED_AT))
    except CronSimError as error:
        raise ValidationError(
            f"This is no cron expression: {error}. Give one such as 30 2 * * *."
        ) from error
    if not moments:
        raise ValidationError("No such day ever comes. Give another expression.")
    if any(later - earlier < LEAST for earlier, later in pairwise(moments)):
        raise ValidationError(
            "This is more than once an hour, and writers wait each time. "
            "Give one minute and fewer hours, such as 30 2 * * *."
        )


def mistakes(
    interval_h: int | None, cron: str, names: tuple[str, str]
) -> list[tuple[str, str]]:
    """What two fields of those names, each right by itself, get wrong together."""
    if interval_h is None or not cron:
        return []
    return [(names[1], f"Give either this or {names[0]}, not both.")]
