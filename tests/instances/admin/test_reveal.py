"""A binding's credentials: for a reason, once, and in the audit log."""

from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, ServiceBinding
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

SECRET = "canary-credentials"


class Reveal(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.binding = rows.make_instance().bindings.get()
        self.url = reverse(
            "admin:instances_servicebinding_reveal", args=[self.binding.pk]
        )

    def test_page_asks_and_shows_nothing(self):
        assert self.url in self.text_of(change_url(self.binding))
        response = self.client.get(self.url)
        assert SECRET not in response.content.decode()
        assert not AuditEvent.objects.filter(action="reveal credentials").exists()

    def test_without_a_reason_there_is_nothing(self):
        response = self.client.post(self.url, {"reason": " "})
        assert SECRET not in response.content.decode()
        assert not AuditEvent.objects.filter(action="reveal credentials").exists()

    def test_with_a_reason_they_are_shown_and_that_is_recorded(self):
        with self.assertLogs("instances.admin.reveal", "WARNING") as logs:
            response = self.client.post(self.url, {"reason": "the app is down"})
        assert SECRET in response.content.decode()
        assert "no-store" in response["Cache-Control"]
        event = AuditEvent.objects.get(action="reveal credentials")
        assert event.changes["reason"] == "the app is down"
        assert event.changes["binding"] == self.binding.guid
        assert SECRET not in repr(event.changes) + repr(logs.output)
        assert SECRET not in self.text_of(self.url)

    def test_one_that_is_gone_has_none(self):
        ServiceBinding.objects.update(state="gone", live_key=None)
        assert self.url not in self.text_of(change_url(self.binding))
        response = self.client.post(self.url, {"reason": "x"}, follow=True)
        assert "has no credentials" in response.content.decode()

    def test_one_that_no_key_opens_says_so(self):
        with rows.unreadable_secrets():
            response = self.client.post(self.url, {"reason": "x"})
        assert "cannot be read" in response.content.decode()
