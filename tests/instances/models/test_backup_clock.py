"""When a clock asks for backups, and which expressions are refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.core.exceptions import ValidationError

from instances.models.backup_clock import Clock, check_cron, mistakes

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
NIGHTLY = Clock(cron="30 2 * * *")


class TestClock:
    def test_hours_count_from_the_last_one(self):
        clock = Clock(interval_h=6)
        assert clock.next_after(NOON) == NOON + timedelta(hours=6)
        assert clock.last_before(NOON) == NOON - timedelta(hours=6)

    def test_cron_is_in_utc_whatever_the_zone_of_the_question(self):
        elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
        for at in (NOON, elsewhere):
            assert NIGHTLY.next_after(at) == datetime(2026, 11, 28, 2, 30, tzinfo=UTC)
            assert NIGHTLY.last_before(at) == datetime(2026, 11, 27, 2, 30, tzinfo=UTC)

    def test_without_either_nothing_is_asked_for(self):
        clock = Clock()
        assert not clock and str(clock) == "never"
        assert clock.next_after(NOON) is clock.last_before(NOON) is None
        assert clock.count_between(NOON, NOON + timedelta(days=9)) == 0

    def test_how_many_come_in_a_time(self):
        day = NOON + timedelta(hours=24)
        assert NIGHTLY.count_between(NOON, day) == 1
        assert Clock(interval_h=7).count_between(NOON, day) == 3

    def test_it_says_itself_in_words(self):
        assert str(Clock(interval_h=6)) == "every 6 hours"
        assert str(NIGHTLY) == "At 02:30 every day UTC (30 2 * * *)"


class TestCheck:
    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("@daily", "five fields"),
            ("0 30 2 * * *", "five fields"),
            ("60 2 * * *", "no cron expression"),
            ("30 2 31 2 *", "no cron expression"),
            ("0,30 2 29 2 *", "once an hour"),
            ("* * * * *", "once an hour"),
        ],
    )
    def test_what_is_refused_names_the_cure(self, text, part):
        with pytest.raises(ValidationError, match=part) as caught:
            check_cron(text)
        assert "30 2 * * *" in str(caught.value)

    @pytest.mark.parametrize("text", ["0 * * * *", "15 3 * * MON-FRI", "0 0 L * *"])
    def test_what_is_fine(self, text):
        check_cron(text)

    def test_hours_and_cron_together_are_a_mistake(self):
        names = ("backup_interval_h", "backup_cron")
        assert [name for name, _ in mistakes(6, "0 * * * *", names)] == ["backup_cron"]
        assert not mistakes(6, "", names) and not mistakes(None, "0 * * * *", names)
