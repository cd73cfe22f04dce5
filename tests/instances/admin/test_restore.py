"""Restores from the console: nothing happens before it was said and typed."""

import uuid
from datetime import timedelta
from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from instances import errors
from instances.admin.html import change_url
from instances.models import (
    AuditEvent,
    Backup,
    Container,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import restore
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


def restores():
    return Operation.objects.filter(kind="restore").exclude(state="succeeded")


class RestoreTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123", bindings=2)
        self.backup = rows.make_backup(self.instance)
        self.url = reverse("admin:instances_backup_restore", args=[self.backup.pk])

    def post(self, typed="abc123", **data):
        data = {"confirmation": typed, "is_safe": "on", **data}
        return self.client.post(self.url, data, follow=True)

    def restored_before(self, *, seconds):
        end = timezone.now()
        step = {"at": (end - timedelta(seconds=seconds)).isoformat()}
        rows.make_operation(
            self.instance,
            "restore",
            steps=[{**step, "text": "stopping the database"}],
            request={"backup": str(self.backup.pk)},
            finished_at=end,
        )

    def shown(self):
        return " ".join(self.text_of(self.url).split())


class Button(RestoreTestCase):
    def test_is_there_on_a_verified_one_only(self):
        link = f'href="{self.url}"'
        for state in Backup.State:
            Backup.objects.update(state=state)
            text = self.text_of(change_url(self.backup))
            assert (link in text) == (state == "verified"), state

    def test_where_the_instance_is_not_ready_there_is_none(self):
        for state in ("gone", "failed", "provisioning", "deprovisioning"):
            ServiceInstance.objects.update(state=state)
            assert self.url not in self.text_of(change_url(self.backup)), state

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="restore_backup")
        )
        self.client.force_login(viewer)
        assert self.url not in self.text_of(change_url(self.backup))
        assert self.client.get(self.url).status_code == 403
        assert self.post().status_code == 403
        assert not restores().exists()


class Confirmation(RestoreTestCase):
    def test_says_in_numbers_what_will_happen(self):
        Container.objects.update(disk_bytes=100_000_000)
        at = timezone.now() - timedelta(hours=3, minutes=4, seconds=30)
        Backup.objects.update(taken_at=at, note="before the sale")
        bindings = ServiceBinding.objects.order_by("guid")
        bindings.filter(guid="binding-0").update(created_at=at - timedelta(days=1))
        ended = rows.make_binding(self.instance, "ended", gone_at=timezone.now())
        bindings.filter(pk=ended.pk).update(
            state="gone", created_at=at - timedelta(days=1)
        )
        self.restored_before(seconds=2)
        port = self.instance.container.port
        for part in (
            f"{at:%Y-%m-%d}</span> <span>{at:%H:%M:%S}",
            "in the 3 h 4 min since then is lost",
            "3.0 MiB are copied",
            "about 100 ms at any size",
            f"alpha, port {port}",
            "2, 1 of them made since; 1 ended since stay out",
            "<dt>Counted: tables</dt> <dd> 1 then, 4 now </dd>",
            "<dt>Counted: rows</dt> <dd> 12 then, nobody answers now </dd>",
            "<strong>about 1.0 s</strong>; 2.0 s at the last restore",
            "<dt>On disk now</dt> <dd> 95 MiB </dd>",
            "before the sale",
            'name="is_safe" id="id_is_safe" checked',
            "the last 6 characters of its GUID",
            "csrfmiddlewaretoken",
        ):
            assert part in self.shown(), part

    def test_get_changes_nothing(self):
        self.text_of(self.url, confirmation="abc123")
        assert not restores().exists()

    def test_one_that_cannot_be_restored_leads_back(self):
        Backup.objects.update(state="committed")
        response = self.client.get(self.url, follow=True)
        assert response.redirect_chain[0][0] == change_url(self.backup)
        assert "only a verified one" in response.content.decode()

    def test_one_whose_database_has_another_name_leads_back(self):
        """An uploaded one's: apps would look for theirs in vain."""
        Backup.objects.update(database="dother")
        text = self.client.get(self.url, follow=True).content.decode()
        assert "the database in it is called dother" in text

    def test_one_on_another_host_can_be_restored(self):
        Backup.objects.update(host=rows.make_host("beta"))
        assert "3.0 MiB are copied" in self.shown()

    def test_one_that_there_is_not(self):
        url = reverse("admin:instances_backup_restore", args=[uuid.uuid4()])
        assert self.client.get(url).status_code == 404


class Post(RestoreTestCase):
    def test_typed_tail_records_the_wish_and_a_backup_of_now(self):
        response = self.post()
        assert response.redirect_chain[0][0] == change_url(self.instance)
        assert "is recorded" in response.content.decode()
        operation = restores().get()
        assert operation.request == {"backup": str(self.backup.pk)}
        assert operation.requested_by == "operator olga"
        assert operation.backups.get().trigger == "restore"
        event = AuditEvent.objects.get(action="restore")
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")

    def test_the_operation_says_which_backup_is_wanted(self):
        self.post()
        assert change_url(self.backup) in self.text_of(change_url(restores().get()))

    def test_without_the_tick_there_is_no_backup_of_now(self):
        self.client.post(self.url, {"confirmation": "abc123"})
        assert not restores().get().backups.exists()

    def test_wrong_tail_changes_nothing(self):
        for typed in ("", "abc124", "instance-abc123", "1"):
            response = self.post(typed)
            assert 'class="errorlist"' in response.content.decode(), typed
        assert not restores().exists()

    def test_a_tick_that_was_taken_off_stays_off_after_a_wrong_tail(self):
        response = self.client.post(self.url, {"confirmation": "no"})
        assert 'id="id_is_safe">' in response.content.decode()

    def test_one_that_something_else_holds_is_told_of(self):
        """F126."""
        with patch.object(restore, "accept", side_effect=errors.ConcurrencyError):
            response = self.post()
        assert response.redirect_chain[0][0] == change_url(self.backup)
        text = response.content.decode()
        assert "Another operation for this Service Instance is in progress." in text

    def test_post_without_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        assert client.post(self.url, {"confirmation": "abc123"}).status_code == 403
        assert not restores().exists()

    def test_one_whose_secrets_no_key_opens_is_told_of(self):
        with rows.unreadable_secrets():
            assert "Data goes back to" in self.shown()
            text = self.post().content.decode()
        assert '<li class="error">' in text
        assert not restores().exists()
