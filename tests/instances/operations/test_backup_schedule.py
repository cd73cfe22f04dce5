"""Which backups are due, by the clock or after a bind."""

from datetime import UTC, datetime, timedelta
from unittest import mock

from django.utils import timezone

from instances.models import Backup, BackupOverride, ServiceInstance
from instances.operations.backup_trouble import troubled
from instances.operations.retention import sweep
from tests.fakes import drain
from tests.instances.backups import BackupTestCase


class ScheduleTest(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        type(self.plan).objects.filter(pk=self.plan.pk).update(backup_interval_h=6)

    def pass_hours(self, hours: float) -> None:
        ago = timezone.now() - timedelta(hours=hours)
        ServiceInstance.objects.update(created_at=ago)
        Backup.objects.update(created_at=ago)

    def test_one_is_taken_when_it_is_due_and_only_then(self):
        self.filled()
        sweep()
        assert not Backup.objects.exists()
        self.pass_hours(6.1)
        for _ in range(3):
            sweep()
            drain()
        backup = Backup.objects.get()
        assert (backup.trigger, backup.requested_by) == ("schedule", "worker worker")
        self.pass_hours(6.1)
        sweep()
        assert Backup.objects.count() == 2

    def test_one_that_failed_is_soon_tried_again_but_not_at_once(self):
        self.filled()
        self.pass_hours(7)
        sweep()
        Backup.objects.update(state="failed")
        drain()
        sweep()
        assert Backup.objects.count() == 1
        self.pass_hours(0.3)
        ServiceInstance.objects.update(created_at=timezone.now() - timedelta(hours=7))
        sweep()
        assert Backup.objects.count() == 2


class CronTest(BackupTestCase):
    """By the database's rows alone: slots are not written down anywhere."""

    def setUp(self) -> None:
        super().setUp()
        type(self.plan).objects.update(backup_cron="30 2 * * *")
        self.instance = self.filled()

    def at(self, hour: int, minute: int = 0, day: int = 27) -> None:
        now = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        with mock.patch("django.utils.timezone.now", return_value=now):
            sweep()
            drain()

    def born(self, hour: int) -> None:
        at = datetime(2026, 11, 27, hour, tzinfo=UTC)
        ServiceInstance.objects.update(created_at=at)

    def test_one_is_taken_at_its_time_and_only_then(self):
        self.born(1)
        self.at(2, 29)
        assert not Backup.objects.exists()
        for minute in (31, 32, 59):
            self.at(2, minute)
        assert Backup.objects.get().trigger == "schedule"
        self.at(2, 31, day=28)
        assert Backup.objects.count() == 2

    def test_a_slot_that_nobody_was_there_for_is_made_up_for_once(self):
        self.born(1)
        self.at(9)
        self.at(10)
        assert Backup.objects.count() == 1

    def test_a_slot_from_before_the_instance_asks_for_nothing(self):
        self.born(3)
        self.at(9)
        assert not Backup.objects.exists()

    def test_an_operator_s_clock_goes_before_the_plan_s(self):
        self.born(1)
        row = BackupOverride.objects.create(instance=self.instance, schedule="none")
        self.at(9)
        assert not Backup.objects.exists()
        row.schedule, row.interval_h = "own", 5
        row.save()
        self.at(5)
        assert not Backup.objects.exists()
        self.at(6, 1)
        assert Backup.objects.count() == 1

    def test_a_slot_without_a_verified_one_is_trouble_after_an_hour(self):
        self.born(1)
        for hour, is_late in ((3, False), (4, True)):
            now = datetime(2026, 11, 27, hour, tzinfo=UTC)
            with mock.patch("django.utils.timezone.now", return_value=now):
                found = troubled(ServiceInstance.objects.all())
                assert found.exists() == is_late


class BindTest(BackupTestCase):
    def test_a_bind_asks_for_one_if_the_plan_says_so(self):
        instance = self.filled()
        sweep()
        assert not Backup.objects.exists()
        type(self.plan).objects.update(backup_on_bind=True)
        for _ in range(3):
            sweep()
            drain()
        assert Backup.objects.get().trigger == "event"
        self.bound(instance, "b-2")
        sweep()
        assert Backup.objects.count() == 2
