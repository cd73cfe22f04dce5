"""Backups on the page of a service instance and on the first page."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import tab_url
from instances.models import Backup, ServiceInstance, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

FOUND = "1 service instances: the latest backup failed or is overdue."


class SectionTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123")
        self.pass_hours(48)

    def pass_hours(self, hours):
        at = timezone.now() - timedelta(hours=hours)
        ServiceInstance.objects.update(created_at=at)

    def made(self, hours_ago, **fields):
        at = timezone.now() - timedelta(hours=hours_ago)
        fields = {"created_at": at, "taken_at": at, **fields}
        return rows.make_backup(self.instance, **fields)

    def policy(self, **fields):
        ServicePlan.objects.update(**fields)

    def shown(self):
        return " ".join(self.text_of(tab_url(self.instance, "backups")).split())


class Section(SectionTestCase):
    def test_without_any_says_so(self):
        assert "No backup of this service instance has been taken." in self.shown()

    def test_shows_the_latest_ten_and_leads_to_all(self):
        made = [self.made(hours) for hours in range(12)]
        text = self.shown()
        listed = text.split('<div class="chart">')[0]
        there = [change_url(row) in listed for row in made]
        assert there == [True] * 10 + [False] * 2
        assert list_url(Backup, instance__id__exact=self.instance.pk) in text

    def test_names_those_that_go_next(self):
        self.policy(backup_keep=2)
        made = [self.made(hours) for hours in range(5)]
        days = [f"{row.taken_at:%Y-%m-%d %H:%M}" for row in made]
        assert f"<dd> 3: {days[4]}, {days[3]}, {days[2]} </dd>" in self.shown()

    def test_no_more_go_than_a_pass_takes(self):
        self.policy(backup_keep=1)
        for hours in range(8):
            self.made(hours)
        assert "and 2 more at the passes after it" in self.shown()

    def test_says_when_the_next_one_is_due(self):
        self.policy(backup_interval_h=24)
        self.made(4)
        assert ", in 19 h " in self.shown()

    def test_after_a_failed_one_the_next_try_is_soon(self):
        self.policy(backup_interval_h=24)
        self.made(30)
        self.made(0, state="failed")
        assert ", in 14 min " in self.shown()

    def test_without_an_interval_says_so(self):
        assert "none: the plan has no clock" in self.shown()

    def test_one_of_a_gone_instance_is_still_there(self):
        backup = self.made(1, expires_at=timezone.now() + timedelta(days=7))
        ServiceInstance.objects.update(state="gone", live_key=None)
        text = self.shown()
        assert change_url(backup) in text
        assert "Next by the clock" not in text


class Trouble(SectionTestCase):
    def assert_troubled(self, sentence):
        assert sentence in self.shown()
        assert FOUND in self.index()
        assert "instance-abc123" in self.filtered()

    def assert_fine(self):
        assert 'class="warnings"' not in self.shown()
        assert FOUND not in self.index()
        assert "instance-abc123" not in self.filtered()

    def index(self):
        return self.text_of(reverse("admin:index"))

    def filtered(self):
        return self.text_of(list_url(ServiceInstance), backups="troubled")

    def test_the_latest_has_failed(self):
        self.made(2)
        self.made(1, state="failed")
        self.assert_troubled("The latest backup has failed.")

    def test_one_under_way_does_not_hide_that(self):
        self.made(2, state="failed")
        self.made(1, state="taking")
        self.assert_troubled("The latest backup has failed.")

    def test_a_failed_one_with_a_good_one_after_it(self):
        self.made(2, state="failed")
        self.made(1)
        self.assert_fine()

    def test_the_latest_is_missing(self):
        self.made(1, state="missing")
        self.assert_troubled("The image of the latest backup is missing.")

    def test_none_where_the_plan_wants_none(self):
        self.assert_fine()

    def test_a_scheduled_one_is_overdue(self):
        self.policy(backup_interval_h=6)
        self.made(8)
        self.made(1, state="committed")
        sentence = "None has been verified as is asked for: every 6 hours."
        self.assert_troubled(sentence)

    def test_within_the_interval_and_an_hour_it_is_not(self):
        self.policy(backup_interval_h=6)
        self.made(6.9)
        self.assert_fine()

    def test_a_new_instance_is_given_its_time(self):
        self.policy(backup_interval_h=6)
        self.pass_hours(6.9)
        self.assert_fine()

    def test_a_gone_instance_troubles_nobody(self):
        self.policy(backup_interval_h=6)
        self.made(1, state="failed")
        ServiceInstance.objects.update(state="gone", live_key=None)
        self.assert_fine()

    def test_those_without_a_verified_one_are_found(self):
        text = self.text_of(list_url(ServiceInstance), backups="none")
        assert "instance-abc123" in text
        self.made(1)
        text = self.text_of(list_url(ServiceInstance), backups="none")
        assert "instance-abc123" not in text
