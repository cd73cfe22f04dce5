"""Backups off the host from the console: who may, what is sent, what is refused."""

from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client
from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, Backup
from instances.operations import transfers
from tests.instances.backups import BackupTestCase


class TransferTestCase(BackupTestCase):
    """A superuser is logged in; the world is in memory."""

    def setUp(self) -> None:
        super().setUp()
        users = get_user_model().objects
        self.user = users.create_superuser("olga", password="x")
        self.client.force_login(self.user)
        self.instance = self.filled()
        self.backup = self.verified(self.instance)

    def url(self, name: str, backup: Backup | None = None) -> str:
        return reverse(
            f"admin:instances_backup_{name}", args=[(backup or self.backup).pk]
        )

    def text_of(self, url: str) -> str:
        response = self.client.get(url)
        assert response.status_code == 200, response.status_code
        return " ".join(response.content.decode().split())

    def become_viewer(self) -> None:
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.filter(content_type__app_label="instances")
        )
        self.client.force_login(viewer)

    def downloaded(self) -> Any:
        response = self.client.post(self.url("download"))
        assert response.status_code == 200, response.status_code
        return response, b"".join(response.streaming_content)


class Page(TransferTestCase):
    def test_its_button_is_on_a_verified_one_only(self):
        for state in Backup.State:
            Backup.objects.update(state=state)
            text = self.text_of(change_url(self.backup))
            assert (self.url("off_host") in text) == (state == "verified"), state

    def test_it_says_what_there_is_and_that_it_is_not_encrypted(self):
        """S24."""
        text = self.text_of(self.url("off_host"))
        assert "is not encrypted" in text
        assert "mariadb-backup-20" in text
        assert "not known before the first download" in text

    def test_afterwards_it_has_the_checksum(self):
        self.downloaded()
        self.backup.refresh_from_db()
        assert self.backup.archive_sha256 in self.text_of(self.url("off_host"))
        response = self.client.get(self.url("checksum"))
        name = f"{self.backup.pk.hex[:8]}.tar.gz"
        assert response.content.decode().startswith(f"{self.backup.archive_sha256}  ")
        assert response.content.decode().endswith(f"{name}\n")
        assert f'{name}.sha256"' in response["Content-Disposition"]

    def test_before_there_is_no_checksum_to_be_had(self):
        assert self.client.get(self.url("checksum")).status_code == 404

    def test_one_that_is_not_verified_leads_back(self):
        Backup.objects.update(state="committed")
        response = self.client.get(self.url("off_host"), follow=True)
        assert "only a verified one" in response.content.decode()


class Download(TransferTestCase):
    def test_is_a_file_that_no_proxy_keeps(self):
        response, content = self.downloaded()
        assert content[:2] == b"\x1f\x8b"
        assert response["Content-Type"] == "application/gzip"
        assert response["Content-Disposition"].startswith('attachment; filename="mari')
        assert "no-store" in response["Cache-Control"]
        assert "Content-Length" not in response

    def test_the_second_one_says_its_length(self):
        _, content = self.downloaded()
        response, again = self.downloaded()
        assert again == content
        assert response["Content-Length"] == str(len(content))

    def test_a_browser_that_goes_away_frees_the_place(self):
        for _ in range(transfers.MOST + 1):
            response = self.client.post(self.url("download"))
            assert response.status_code == 200
            # It would close the test's own connection too.
            request_finished.disconnect(close_old_connections)
            response.close()
            request_finished.connect(close_old_connections)
        assert self.world.machine.saving == 0

    def test_what_fails_is_a_sentence_on_the_page(self):
        self.world.machine.backups.clear()
        response = self.client.post(self.url("download"), follow=True)
        assert "image is missing on the host" in response.content.decode()

    def test_too_many_at_once_are_told_to_wait(self):
        slots = [transfers.Slot() for _ in range(transfers.MOST)]
        response = self.client.post(self.url("download"), follow=True)
        assert "Try again when one has ended" in response.content.decode()
        for slot in slots:
            slot.release()

    def test_a_get_starts_nothing(self):
        """S45."""
        assert self.client.get(self.url("download")).status_code == 404
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        assert client.post(self.url("download")).status_code == 403
        assert not AuditEvent.objects.filter(action="download backup").exists()

    def test_staff_without_the_right(self):
        """S47."""
        self.become_viewer()
        assert self.url("off_host") not in self.text_of(change_url(self.backup))
        for name in ("off_host", "checksum"):
            assert self.client.get(self.url(name)).status_code == 403
        assert self.client.post(self.url("download")).status_code == 403
        assert not AuditEvent.objects.filter(action="download backup").exists()


class Upload(TransferTestCase):
    def setUp(self) -> None:
        super().setUp()
        _, self.content = self.downloaded()
        self.upload_url = reverse(
            "admin:instances_serviceinstance_upload_backup", args=[self.instance.pk]
        )

    def put(self, content: bytes | None = None, client: Any = None, **said: Any) -> Any:
        return (client or self.client).put(
            self.upload_url,
            self.content if content is None else content,
            content_type="application/octet-stream",
            QUERY_STRING="&".join(f"{k}={v}" for k, v in {"days": 3, **said}.items()),
        )

    def uploads(self) -> Any:
        return Backup.objects.filter(trigger="upload")

    def test_the_form_is_where_the_instance_is(self):
        assert self.upload_url in self.text_of(change_url(self.instance))
        text = self.text_of(self.upload_url)
        for part in ('type="file"', "upload.js", "csrfmiddlewaretoken", "20480 MiB"):
            assert part in text

    def test_the_body_becomes_a_backup(self):
        response = self.put(note="moved")
        assert response.status_code == 201, response.content
        backup = self.uploads().get()
        assert response.json() == {"url": change_url(backup)}
        assert (backup.state, backup.note) == ("committed", "moved")
        assert "uploaded" in self.text_of(change_url(backup)).lower()

    def test_it_is_never_held_whole(self):
        with mock.patch("django.http.HttpRequest.body", side_effect=AssertionError):
            assert self.put().status_code == 201

    def test_what_is_wrong_is_said(self):
        for content, said, sentence in (
            (b"nonsense" * 999, {}, "damaged, or not a tar"),
            (self.content[:-9], {}, "not complete"),
            (None, {"checksum": "0" * 64}, "checksum is another"),
            (None, {"checksum": "xyz"}, "64 hexadecimal digits"),
            (None, {"days": "x"}, "days: Enter a whole number"),
            (b"", {}, "file: it is empty"),
        ):
            response = self.put(content, **said)
            assert response.status_code == 422
            assert sentence in response.json()["error"], response.content
        assert not self.uploads().exclude(state="failed").exists()

    def test_too_many_at_once_are_told_to_wait(self):
        slots = [transfers.Slot() for _ in range(transfers.MOST)]
        assert self.put().status_code == 503
        for slot in slots:
            slot.release()

    def test_without_the_token(self):
        """S45."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        assert self.put(client=client).status_code == 403
        assert not self.uploads().exists()

    def test_staff_without_the_right(self):
        """S47."""
        self.become_viewer()
        assert self.put().status_code == 403
        assert self.client.get(self.upload_url).status_code == 403
        assert self.upload_url not in self.text_of(change_url(self.instance))
        assert not self.uploads().exists()

    def test_an_instance_that_is_not_ready_leads_back(self):
        self.instance.__class__.objects.update(state="failed")
        response = self.client.get(self.upload_url)
        assert response.status_code == 302
        assert self.put().status_code == 422
