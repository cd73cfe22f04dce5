"""Uploads of backups in the console: a body that is streamed, and what is refused."""

from typing import Any
from unittest import mock

from django.test import Client
from django.urls import reverse

from instances.admin.html import change_url
from instances.models import Backup
from instances.operations import transfers
from tests.instances.admin.test_backup_transfer import TransferTestCase


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
