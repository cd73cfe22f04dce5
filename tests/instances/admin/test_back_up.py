"""Backups from the console: writers wait, so it is said for how long, and asked for."""

from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from instances import errors
from instances.admin.html import change_url, list_url
from instances.models import (
    AuditEvent,
    Backup,
    Container,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import back_up
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

URL = reverse("admin:instances_serviceinstance_back_up")


class BackUpTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123")

    def post(self, *instances, **wish):
        ids = [instance.pk for instance in instances]
        return self.client.post(URL, {"id": ids, **wish}, follow=True)

    def shown(self):
        return " ".join(self.text_of(URL, id=self.instance.pk).split())


class Button(BackUpTestCase):
    def test_is_there_while_the_instance_is_ready(self):
        link = f'href="{URL}?id={self.instance.pk}"'
        assert link in self.text_of(change_url(self.instance))
        for state in ("gone", "failed", "provisioning", "deprovisioning"):
            ServiceInstance.objects.update(state=state)
            assert URL not in self.text_of(change_url(self.instance)), state

    def test_where_nothing_could_be_proved_there_is_none(self):
        ServiceOffering.objects.update(engine="generic")
        assert URL not in self.text_of(change_url(self.instance))

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="back_up_serviceinstance")
        )
        self.client.force_login(viewer)
        assert URL not in self.text_of(change_url(self.instance))
        assert "back_up_chosen" not in self.text_of(list_url(ServiceInstance))
        assert self.client.get(URL, {"id": self.instance.pk}).status_code == 403
        assert self.post(self.instance).status_code == 403
        assert not Backup.objects.exists()


class Confirmation(BackUpTestCase):
    def test_says_how_long_writers_wait(self):
        for size_bytes, text in (
            (0, "about 65 ms"),
            (100_000_000, "about 495 ms"),
            (1_200_000_000, "about 5.2 s"),
        ):
            Container.objects.update(disk_bytes=size_bytes)
            assert f"{text}, longer on a" in self.shown(), size_bytes

    def test_says_what_the_plan_says(self):
        hot = "wait, hot (as the plan says) </dt> <dd> <strong>about 100 ms at any size"
        for size_bytes, is_hot in ((0, False), (100_000_000, True)):
            Container.objects.update(disk_bytes=size_bytes)
            assert (hot in self.shown()) == is_hot
            assert ("wait, paused (as the plan" in self.shown()) != is_hot
        ServicePlan.objects.update(backup_method="paused")
        assert "wait, paused (as the plan" in self.shown()

    def test_says_how_long_it_was_the_last_time(self):
        assert "Last time" not in self.shown()
        rows.make_backup(self.instance, held_ms=432)
        rows.make_backup(self.instance, held_ms=987, created_at=timezone.now())
        assert "Last time they waited for</dt> <dd> 987 ms" in self.shown()

    def test_without_a_measurement_says_so(self):
        assert "its disk has not been measured yet" in self.shown()

    def test_get_changes_nothing(self):
        assert "csrfmiddlewaretoken" in self.shown()
        assert not Backup.objects.exists()


class Single(BackUpTestCase):
    def test_post_records_the_wish(self):
        response = self.post(self.instance, note="before the sale")
        assert response.redirect_chain[0][0] == change_url(self.instance)
        backup = Backup.objects.get()
        assert (backup.trigger, backup.note) == ("operator", "before the sale")
        assert backup.requested_by == "operator olga"
        assert change_url(backup) in response.content.decode()
        event = AuditEvent.objects.get(action="back up")
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")

    def test_the_operator_chooses_the_method(self):
        for chosen, method in (("", "paused"), ("paused", "paused"), ("hot", "hot")):
            with self.subTest(chosen):
                instance = rows.make_instance(f"instance-{chosen}-{method}")
                self.post(instance, method=chosen)
                backup = instance.backups.get()
                assert backup.method == method
        text = self.text_of(change_url(backup))
        assert "Hot" in text

    def test_another_method_is_refused(self):
        text = self.post(self.instance, method="cold").content.decode()
        assert "cold is not one of the available choices" in text
        assert not Backup.objects.exists()

    def test_a_second_click_is_told_that_the_first_is_under_way(self):
        self.post(self.instance)
        text = self.post(self.instance).content.decode()
        assert "Another operation for this Service Instance is in progress." in text
        assert Backup.objects.count() == 1

    def test_a_note_that_is_too_long_is_shown_again(self):
        text = self.post(self.instance, note="x" * 256).content.decode()
        assert 'class="errorlist"' in text
        assert not Backup.objects.exists()

    def test_one_that_is_gone_by_now_is_told_of(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        text = self.post(self.instance).content.decode()
        assert "is gone: there is nothing to back up" in text
        assert not Backup.objects.exists()

    def test_post_without_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        assert client.post(URL, {"id": [self.instance.pk]}).status_code == 403
        assert not Backup.objects.exists()

    def test_works_although_no_key_opens_the_secrets(self):
        with rows.unreadable_secrets():
            self.shown()
            self.post(self.instance)
        assert Backup.objects.count() == 1


class Bulk(BackUpTestCase):
    def setUp(self):
        super().setUp()
        self.other = rows.make_instance("instance-def456")

    def choose(self, *instances):
        chosen = [instance.pk for instance in instances]
        data = {"action": "back_up_chosen", "_selected_action": chosen}
        return self.client.post(list_url(ServiceInstance), data, follow=True)

    def test_action_leads_to_the_confirmation_and_does_nothing_itself(self):
        text = self.choose(self.instance, self.other).content.decode()
        assert "instance-abc123" in text and "instance-def456" in text
        assert not Backup.objects.exists()

    def test_post_records_each(self):
        text = self.post(self.instance, self.other).content.decode()
        assert text.count("is recorded") == 2
        assert Backup.objects.count() == 2

    def test_one_that_is_refused_does_not_stop_the_others(self):
        accept = back_up.accept

        def refuse_first(instance, **wish):
            if instance == self.instance:
                raise errors.BackupRefused(detail="a volume")
            return accept(instance, **wish)

        with patch.object(back_up, "accept", refuse_first):
            text = self.post(self.instance, self.other).content.decode()
        assert "would not hold its data. a volume" in text
        assert Backup.objects.get().instance == self.other

    def test_more_than_20_are_refused(self):
        many = [rows.make_instance(f"many-{number}") for number in range(21)]
        assert self.post(*many).status_code == 404
        assert not Backup.objects.exists()
