"""Backups off the host from the console: who may, what is sent, what is refused."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client
from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, Backup, BackupCopy
from instances.operations import export, transfers
from tests.fakes import make_host
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR


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
            Permission.objects.exclude(
                codename__in=(
                    *("copy_backup", "download_backup"),
                    "upload_backup_serviceinstance",
                )
            )
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


class Export(TransferTestCase):
    def test_is_a_whole_file(self):
        response = self.client.post(self.url("export"))
        content = b"".join(response.streaming_content)
        assert response["Content-Length"] == str(len(content))
        assert "mariadb-data-20" in response["Content-Disposition"]
        assert content.decode() == self.binding.credentials["username"]
        assert AuditEvent.objects.filter(action="export backup").count() == 1
        assert len(self.world.containers()) == 1

    def test_who_goes_away_leaves_no_container(self):
        self.backup.refresh_from_db()
        dump = export.accept(self.backup, actor=ACTOR)
        assert len(self.world.containers()) == 2
        for _ in range(2):
            dump.close()
        assert len(self.world.containers()) == 1
        slots = [transfers.Slot() for _ in range(transfers.MOST)]
        for slot in slots:
            slot.release()

    def test_what_fails_is_a_sentence_and_leaves_nothing(self):
        self.world.machine.failing_images[self.backup.reference] = 69
        response = self.client.post(self.url("export"), follow=True)
        assert "could not be dumped" in response.content.decode()
        assert len(self.world.containers()) == 1

    def test_its_container_is_reached_by_nobody_and_shows_no_secret(self):
        """S18."""
        self.backup.refresh_from_db()
        dump = export.accept(self.backup, actor=ACTOR)
        (made,) = [c for c in self.world.containers() if c.spec.entrypoint]
        assert made.spec.publish_port is None
        assert not made.spec.restarts
        assert made.spec.command == (self.backup.database,)
        dump.close()

    def test_staff_without_the_right(self):
        """S47."""
        self.become_viewer()
        for name in ("export", "copy", "remove_copy"):
            assert self.client.post(self.url(name)).status_code == 403


class Copies(TransferTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.other = make_host("two")

    def make(self, where: object) -> str:
        data = {"where": where}
        response = self.client.post(self.url("copy"), data, follow=True)
        return response.content.decode()

    def test_one_is_asked_for_and_shown(self):
        assert "The copy is recorded" in self.make(self.other.pk)
        assert "There is such a copy already" in self.make(self.other.pk)
        copy = BackupCopy.objects.get()
        assert copy.requested_by == "operator olga"
        for url in (self.url("off_host"), change_url(self.backup)):
            assert change_url(self.other) in self.text_of(url)

    def test_only_places_that_there_are(self):
        for where in ("", "x", "99", self.host.pk, "registry"):
            assert "Choose a host that there is" in self.make(where), where
        assert not BackupCopy.objects.exists()

    def test_the_registry_is_offered_if_there_is_one(self):
        assert "registry" not in self.text_of(self.url("off_host")).replace(
            "no registry", ""
        )
        with self.settings(BACKUP_REGISTRY="r.example.com/b"):
            assert "registry r.example.com/b" in self.text_of(self.url("off_host"))
            self.make("registry")
        assert BackupCopy.objects.get().registry == "r.example.com/b"

    def test_one_is_removed(self):
        self.make(self.other.pk)
        copy = BackupCopy.objects.get()
        data = {"copy": copy.pk}
        response = self.client.post(self.url("remove_copy"), data, follow=True)
        assert "goes within a minute" in response.content.decode()
        copy.refresh_from_db()
        assert copy.state == "expiring"
        for pk in ("", "x", "99999"):
            data = {"copy": pk}
            response = self.client.post(self.url("remove_copy"), data, follow=True)
            assert "no such copy" in response.content.decode()

    def test_what_went_wrong_is_shown(self):
        self.make(self.other.pk)
        BackupCopy.objects.update(state="failed", error="<b>no route</b>")
        assert "&lt;b&gt;no route" in self.text_of(self.url("off_host"))
