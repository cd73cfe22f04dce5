from datetime import datetime, timedelta, tzinfo
from typing import Any
from unittest import mock

import pytest
from django.db.models.functions import Now

from instances import errors
from instances.models import Backup, Container
from instances.models.container import MADE_WITH
from tests.instances.backups import BackupTestCase


def clock_of(hours: int) -> Any:
    """This process's clock is so far ahead, or behind."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    return mock.patch("django.utils.timezone.datetime", Wrong)


class ClaimTest(BackupTestCase):
    """F25: a claim ends by the database's clock, whatever the worker's own one says."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()

    def starting(self) -> Container:
        made_with = {name: getattr(self.instance.container, name) for name in MADE_WITH}
        return Container.objects.create(
            host=self.host,
            plan=self.plan,
            engine="mariadb",
            state="starting",
            admin_secret="x",
            **made_with,
        )

    def assert_claimed_for_a_while(self, rows: Any) -> None:
        assert rows.filter(claimed_until__gt=Now()).exists()
        assert not rows.filter(claimed_until__gt=Now() + timedelta(minutes=10)).exists()

    def test_a_start_is_claimed_for_a_while(self):
        for hours in (-1, 1):
            with self.subTest(hours=hours):
                row = self.starting()
                with clock_of(hours):
                    assert row.claim()
                    row.hold()
                self.assert_claimed_for_a_while(Container.objects.filter(pk=row.pk))
                assert not Container.objects.get(pk=row.pk).claim()

    def test_a_throw_away_one_is_kept_for_a_while(self):
        for hours in (-1, 1):
            with self.subTest(hours=hours):
                row = self.starting()
                row.move("scratch", only_from=("starting",))
                with clock_of(hours):
                    row.prolong()
                self.assert_claimed_for_a_while(Container.objects.filter(pk=row.pk))

    def test_a_proof_is_claimed_for_a_while(self):
        for hours in (-1, 1):
            with self.subTest(hours=hours):
                row = self.backed_up(self.instance)
                with clock_of(hours):
                    row.claim()
                    row.hold()
                self.assert_claimed_for_a_while(Backup.objects.filter(pk=row.pk))
                with pytest.raises(errors.LeaseLost):
                    Backup.objects.get(pk=row.pk).claim()
