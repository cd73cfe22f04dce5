"""Retry and cancel an operation: where that is sound, and with a word where not."""

from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, Operation
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class ActionsTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123")

    def made(self, kind, state, **fields):
        fields = {"binding": None, "finished_at": None, **fields}
        return rows.make_operation(self.instance, kind, state=state, **fields)

    def post(self, word, operation):
        url = reverse(f"admin:instances_operation_{word}", args=[operation.pk])
        return self.client.post(url, follow=True).content.decode()


class Retry(ActionsTestCase):
    def test_failed_one_is_asked_for_again(self):
        failed = self.made("restart", "failed")
        assert 'form="retry"' in self.text_of(change_url(failed))
        assert "is recorded" in self.post("retry", failed)
        new = Operation.objects.filter(kind="restart").exclude(pk=failed.pk).get()
        assert (new.state, new.requested_by) == ("queued", "operator olga")

    def test_second_click_does_nothing_twice(self):
        failed = self.made("back_up", "failed")
        self.post("retry", failed)
        assert "Something newer" in self.post("retry", failed)
        assert Operation.objects.filter(kind="back_up").count() == 2

    def test_what_a_platform_was_answered_is_not(self):
        for kind in ("provision", "bind", "restore"):
            failed = self.made(
                kind, "failed", request={"backup": str(self.instance.pk)}
            )
            assert 'form="retry"' not in self.text_of(change_url(failed)), kind
            self.post("retry", failed)
            assert not Operation.objects.filter(kind=kind, state="queued").exists()

    def test_what_succeeded_is_not(self):
        done = self.made("restart", "succeeded")
        assert "What can be done" not in self.text_of(change_url(done))
        assert "Only what has failed" in self.post("retry", done)


class Cancel(ActionsTestCase):
    def test_it_is_asked_to_end_once(self):
        waiting = self.made("restart", "queued")
        assert 'form="cancel"' in self.text_of(change_url(waiting))
        assert "ends at its next step" in self.post("cancel", waiting)
        waiting.refresh_from_db()
        assert waiting.cancel_asked
        assert AuditEvent.objects.get(action="cancel").changes["kind"] == "restart"
        assert "has been asked for" in self.post("cancel", waiting)
        assert AuditEvent.objects.filter(action="cancel").count() == 1

    def test_deletions_and_platforms_wishes_end_by_themselves(self):
        for kind in ("deprovision", "bind", "unbind", "provision", "stop"):
            running = self.made(kind, "running")
            assert 'form="cancel"' not in self.text_of(change_url(running)), kind
            assert "Nothing of this kind" in self.post("cancel", running)
            running.refresh_from_db()
            assert not running.cancel_asked

    def test_one_that_has_ended_says_so(self):
        assert "has ended already" in self.post(
            "cancel", self.made("restart", "succeeded")
        )
