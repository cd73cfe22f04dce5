import logging

from django.conf import settings
from django.core.checks import run_checks
from django.db import connection
from django.test import SimpleTestCase, TestCase


class SettingsTest(SimpleTestCase):
    def test_debug_is_off(self):
        """S42."""
        assert settings.DEBUG is False

    def test_system_checks_are_silent(self):
        assert run_checks() == []

    def test_no_slash_is_appended(self):
        """OSB-CHECKLIST 10."""
        assert settings.APPEND_SLASH is False

    def test_each_refused_request_is_no_line_of_its_own(self):
        assert not logging.getLogger("django.request").isEnabledFor(logging.WARNING)


class SQLiteTest(TestCase):
    def test_a_commit_survives_a_power_cut(self):
        """F114: FULL is 2."""
        if connection.vendor != "sqlite":
            return
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone() == (2,)
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)

    def test_foreign_keys_are_kept(self):
        connection.check_constraints()
