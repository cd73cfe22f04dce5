"""Backups in the console: what is proved is told from what is not."""

import re
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from instances.admin import backup_display as display
from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import tab_url
from instances.models import Backup, ServiceInstance, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class BackupTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123", instance_name="shop")
        self.backup = rows.make_backup(self.instance)

    def shown(self, backup=None):
        return " ".join(self.text_of(change_url(backup or self.backup)).split())

    def listed(self, **query):
        return " ".join(self.text_of(list_url(Backup), **query).split())

    def rows_of_list(self, **query):
        """Without what stands below the list."""
        return self.listed(**query).split('class="module section"')[0]


class List(BackupTestCase):
    def test_only_a_verified_one_is_green(self):
        for state, label in Backup.State.choices:
            Backup.objects.update(state=state)
            badge = re.search(rf'badge badge-(\w+)">{label}<', self.listed())
            assert (badge[1] == "good") == (state == "verified"), state

    def test_shows_size_and_how_long_writers_were_held(self):
        for part in ("217 MiB", "3.0 MiB its own", "432 ms", "1 h 0 min", "operator"):
            assert part in self.listed(), part

    def test_one_of_a_gone_instance_stays_with_its_name(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        assert '<bdi>shop</bdi></a> <span class="mini">gone<' in self.listed()

    def test_is_found_and_filtered(self):
        other = rows.make_instance("instance-other", host=rows.make_host("beta"))
        rows.make_backup(other, state="failed", trigger="schedule")
        for query in (
            {"q": "shop"},
            {"q": "instance-abc123"},
            {"q": str(self.backup.pk)},
            {"state__exact": "verified"},
            {"trigger__exact": "operator"},
            {"host__id__exact": self.backup.host_id},
            {"whose": "there", "state__exact": "verified"},
        ):
            text = self.rows_of_list(**query)
            assert str(self.backup.pk) in text, query
            assert "name of instance-other" not in text, query
        assert "2 backups" in self.listed(engine__exact="mariadb")
        assert "2 backups" in self.listed(plan__id__exact=self.backup.plan_id)

    def test_those_without_a_proof_are_found(self):
        assert "Nothing matches" in self.listed(proof="no")
        Backup.objects.update(state="committed", verified_at=None, proofs=2)
        for query in ({"proof": "no"}, {"proof": "again"}):
            assert "tried 2 times" in self.rows_of_list(**query)

    def test_old_ones_are_found(self):
        assert "Nothing matches" in self.listed(older="week")
        Backup.objects.update(created_at=timezone.now() - timedelta(days=8))
        assert str(self.backup.pk) in self.rows_of_list(older="week")
        assert "Nothing matches" in self.listed(older="month")

    def test_the_last_one_of_a_deleted_instance_is_found_by_its_name(self):
        """Undelete begins here."""
        assert "Nothing matches" in self.listed(whose="gone")
        ServiceInstance.objects.update(state="gone", live_key=None)
        for query in ({"q": "shop"}, {"whose": "gone"}):
            assert str(self.backup.pk) in self.rows_of_list(**query)
        url = reverse("admin:instances_backup_clone", args=[self.backup.pk])
        assert url in self.shown()


class Below(BackupTestCase):
    """What stands below the list."""

    def test_what_goes_tonight_and_whose_it_is(self):
        ServicePlan.objects.update(backup_keep=1)
        at = timezone.now() - timedelta(hours=5)
        rows.make_backup(self.instance, created_at=at, taken_at=at)
        text = self.listed().split("What goes within 24 hours")[1]
        assert f"{at:%Y-%m-%d %H:%M}" in text and "the latest 1" in text
        text = self.listed(instance__id__exact=self.instance.pk)
        assert f"{at:%Y-%m-%d %H:%M}" in text.split("What goes within 24 hours")[1]

    def test_nothing_of_all_that_is_said_too(self):
        text = self.listed()
        assert "Nothing goes within 24 hours" in text
        assert "latest backup has failed, is missing or overdue" in text

    def test_what_is_in_trouble(self):
        rows.make_backup(
            self.instance, state="failed", created_at=timezone.now(), delta_bytes=None
        )
        text = self.listed().split("In trouble")[1]
        assert change_url(self.instance) in text and "the latest has failed" in text

    def test_how_much_all_take_over_time(self):
        assert "3.0 MiB now, at most 3.0 MiB" in self.listed()
        gone = timezone.now() - timedelta(days=1)
        rows.make_backup(
            self.instance,
            state="gone",
            taken_at=gone - timedelta(days=2),
            gone_at=gone,
        )
        rows.make_backup(self.instance, taken_at=gone - timedelta(days=90))
        assert "6.0 MiB now, at most 6.0 MiB" in self.listed()

    def test_one_instance_s_own_as_dots_that_lead_to_them(self):
        query = {"instance__id__exact": self.instance.pk}
        assert "Two backups make a chart." in self.listed(**query)
        at = timezone.now() - timedelta(hours=5)
        fields = {"created_at": at, "taken_at": at}
        failed = rows.make_backup(
            self.instance, state="failed", delta_bytes=None, **fields
        )
        for text in (
            self.listed(**query),
            self.text_of(tab_url(self.instance, "backups")),
        ):
            chart = text.split('<div class="chart">')[1]
            assert chart.count("<circle") == 2
            assert "dot-good" in chart and "dot-bad" in chart
            assert f'<a href="{change_url(failed)}">' in chart

    def test_a_filter_that_is_no_id_is_no_error(self):
        assert self.client.get(
            list_url(Backup, instance__id__exact="no-id")
        ).status_code in (200, 302)


class Page(BackupTestCase):
    def test_shows_every_fact(self):
        Backup.objects.update(note="before the sale", problem="it took two tries")
        for part in (
            self.backup.reference,
            "sha256:0123",
            "7 of 125",
            "before the sale",
            "it took two tries",
            "432 ms",
            change_url(self.backup.operation),
            "starting the container",
            "as its plan or its operator says: the latest 7",
        ):
            assert part in self.shown(), part

    def test_counts_stand_beside_each_other(self):
        self.backup.refresh_from_db()
        self.backup.inventory["found"]["rows"] = 11
        self.backup.save()
        assert "<td>rows</td><td>12</td><td>12</td><td>11</td>" in self.shown()

    def test_what_was_not_counted_yet_is_a_dash(self):
        Backup.objects.update(inventory={"before": {"rows": 12}}, state="taking")
        assert "<td>rows</td><td>12</td><td>-</td><td>-</td>" in self.shown()

    def test_one_without_proof_is_said_to_be_none(self):
        Backup.objects.update(state="committed")
        assert "do not rely on it" in self.shown()

    def test_a_final_one_says_how_long_it_stays(self):
        Backup.objects.update(expires_at=timezone.now() + timedelta(days=7))
        assert "until <time" in self.shown()


class NewInstance(BackupTestCase):
    def test_what_began_with_it_leads_to_it(self):
        other = rows.make_instance("instance-other", restored_from=self.backup)
        assert change_url(self.backup) in self.text_of(change_url(other))

    def command(self):
        self.backup.refresh_from_db()
        return display.command(self.backup)

    def test_a_gone_one_comes_back_by_its_name(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        wish = f'{{"restore_from": {{"backup": "{self.backup.pk}"}}}}'
        assert self.command() == f"cf create-service mysql-docker free shop -c '{wish}'"
        assert "cf create-service mysql-docker free shop -c" in self.shown()

    def test_one_that_is_there_keeps_its_name(self):
        assert " shop-restored -c " in self.command()

    def test_a_name_that_a_shell_would_run_is_left_out(self):
        for name in ("$(reboot)", "a'b", "a b", "-x", "", "a\nb", "\u202eshop", "a\n"):
            ServiceInstance.objects.update(instance_name=name)
            assert " free restored -c '" in self.command(), name

    def test_an_unproved_one_has_no_command(self):
        for state in set(Backup.State) - {Backup.State.VERIFIED}:
            Backup.objects.update(state=state)
            assert "cf create-service" not in self.shown(), state
