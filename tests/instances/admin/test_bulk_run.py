"""Bulk runs in the console: nothing before it is confirmed, and all of it seen."""

from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import BulkRun, Operation, ServiceInstance
from instances.operations import bulk
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class BulkRunTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instances = [rows.make_instance(f"instance-{n}") for n in range(3)]

    def choose(self, action, **more):
        chosen = [instance.pk for instance in self.instances]
        data = {"action": action, "_selected_action": chosen, **more}
        return self.client.post(list_url(ServiceInstance), data, follow=True)

    def url(self, word, run):
        return reverse(f"admin:instances_bulkrun_{word}", args=[run.pk])

    def start(self, run, **sent):
        sent = {"concurrency": 2, "reason": "spring cleaning", **sent}
        return self.client.post(self.url("start", run), sent, follow=True)

    def chosen(self, action="restart_chosen"):
        self.choose(action)
        return BulkRun.objects.get()


class Confirm(BulkRunTestCase):
    def test_several_lead_to_a_run_that_waits_for_a_word(self):
        text = self.choose("restart_chosen").content.decode()
        assert "3 service instances are meant" in text
        assert "name of instance-2" in text
        run = BulkRun.objects.get()
        assert (run.state, run.requested_by) == ("planned", "olga")
        bulk.advance()
        assert not Operation.objects.unfinished().exists()

    def test_one_leads_to_its_own_page(self):
        self.instances = self.instances[:1]
        text = self.choose("restart_chosen").content.decode()
        assert "all sessions end" in text
        assert not BulkRun.objects.exists()

    def test_confirmed_it_is_begun_once(self):
        run = self.chosen()
        assert "It is begun." in self.start(run).content.decode()
        assert "confirmed already" in self.start(run).content.decode()
        run.refresh_from_db()
        assert (run.state, run.concurrency) == ("running", 2)
        bulk.advance()
        assert Operation.objects.filter(kind="restart").count() == 2

    def test_deprovision_wants_the_number_typed(self):
        run = self.chosen("deprovision_chosen")
        for typed in ("", "2", "all"):
            text = self.start(run, confirmation=typed).content.decode()
            assert "errorlist" in text, typed
        self.start(run, confirmation="3")
        run.refresh_from_db()
        assert run.state == "running"

    def test_too_many_are_refused(self):
        """S48."""
        bulk_most, bulk.MOST_DEPROVISIONED = bulk.MOST_DEPROVISIONED, 2
        self.addCleanup(setattr, bulk, "MOST_DEPROVISIONED", bulk_most)
        text = self.choose("deprovision_chosen").content.decode()
        assert "Select at most 2 service instances at once." in text
        assert not BulkRun.objects.exists()


class Watch(BulkRunTestCase):
    def begun(self):
        run = self.chosen()
        self.start(run)
        bulk.advance()
        return run

    def steer(self, run, word):
        sent = {"word": word}
        response = self.client.post(self.url("steer", run), sent, follow=True)
        return response.content.decode()

    def test_page_shows_each_with_its_operation(self):
        run = self.begun()
        text = self.text_of(change_url(run))
        assert "0 of 3 are done" in text
        assert change_url(Operation.objects.filter(kind="restart").first()) in text
        assert self.url("progress", run) in text
        Operation.objects.update(state="failed", error="no such luck")
        bulk.advance()
        text = self.text_of(self.url("progress", run))
        assert "2 of 3 are done" in text
        assert "no such luck" in text

    def test_pause_continue_and_cancel(self):
        run = self.begun()
        assert "Done: pause" in self.steer(run, "pause")
        assert "Too late to pause" in self.steer(run, "pause")
        assert "Done: continue" in self.steer(run, "continue")
        assert "Done: cancel" in self.steer(run, "cancel")
        assert "Too late to continue" in self.steer(run, "continue")
        assert run.counts() == {"started": 2, "cancelled": 1}
        assert "Choose to pause" in self.steer(run, "explode")

    def test_asks_no_more_for_many(self):
        few = rows.make_bulk_run(*self.instances)
        many = rows.make_bulk_run(*[rows.make_instance(f"m-{n}") for n in range(20)])
        self.text_of(change_url(few))
        with self.assertNumQueries(self.queries(few)):
            self.text_of(change_url(many))

    def queries(self, run):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as queries:
            self.text_of(change_url(run))
        return len(queries)
