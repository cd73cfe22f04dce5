"""The worker's questions: names of today, and what is done when nobody answers."""

from datetime import timedelta
from unittest import mock

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone

from instances.cloud_controller import CloudController
from instances.models import PlatformLookup, ServiceBinding, ServiceInstance
from instances.oauth import https
from instances.operations.platform_lookup import look_up_if_due
from tests.instances.platform import PlatformTestCase
from tests.instances.worker_parts import WorkerParts


class LookupTestCase(PlatformTestCase):
    def setUp(self):
        super().setUp()
        self.controller.spaces = {"s-1": ("dev", "o-1")}
        self.controller.organizations = {"o-1": "acme"}

    def look_up(self, *, is_stopping=lambda: False):
        PlatformLookup.objects.update(due_at=None)
        look_up_if_due(is_stopping=is_stopping)
        self.instance.refresh_from_db()
        self.binding.refresh_from_db()

    def pause_s(self):
        return (self.lookup.due_at - timezone.now()).total_seconds()


class Names(LookupTestCase):
    def test_all_four_are_taken_over(self):
        self.controller.instances["i-1"] = "renamed"
        self.look_up()
        assert self.instance.instance_name == "renamed"
        assert self.instance.space_name == "dev"
        assert self.instance.organization_name == "acme"
        assert self.binding.app_name == "shop"

    def test_they_follow_what_is_renamed(self):
        """Brokers are told of a renamed instance at most, never of the rest."""
        self.look_up()
        self.controller.apps["a-1"] = "Shop"
        self.controller.spaces["s-1"] = ("Dev", "o-1")
        self.controller.organizations["o-1"] = "ACME"
        self.look_up()
        assert self.binding.app_name == "Shop"
        assert self.instance.space_name == "Dev"
        assert self.instance.organization_name == "ACME"

    def test_one_that_is_not_said_stays(self):
        self.look_up()
        self.controller.apps.clear()
        self.controller.spaces.clear()
        self.controller.instances["i-1"] = ""
        self.look_up()
        assert self.binding.app_name == "shop"
        assert self.instance.space_name == "dev"
        assert self.instance.instance_name == "shop-db"

    def test_what_is_the_same_is_not_written(self):
        self.look_up()
        with mock.patch.object(ServiceInstance.objects.none().__class__, "update") as u:
            with mock.patch.object(ServiceBinding.objects.none().__class__, "update"):
                self.look_up()
        assert not u.called

    def test_a_rename_through_the_broker_wins(self):
        """What it was called when the question was asked is not there any more."""

        def answer(client, guids):
            ServiceInstance.objects.update(instance_name="of now")
            return {"i-1": "of before"}

        with mock.patch.object(CloudController, "service_instances", answer):
            self.look_up()
        assert self.instance.instance_name == "of now"

    def test_hostile_names_are_texts_that_fit(self):
        """SECURITY S44: every page is walked with worse ones by test_hostile."""
        self.controller.apps["a-1"] = "<script>" * 100 + "\0"
        self.controller.spaces["s-1"] = ("\x1b[1m\u202e", "o-1")
        self.look_up()
        assert self.binding.app_name == ("<script>" * 100)[:255]
        assert self.instance.space_name == "\x1b[1m\u202e"


class Trouble(LookupTestCase):
    def test_it_is_seen_and_asked_about_ever_more_rarely(self):
        self.controller.status = 500
        pauses = []
        for _ in range(8):
            self.look_up()
            pauses.append(round(self.pause_s()))
        assert pauses[:4] == [60, 120, 240, 480] and pauses[-1] == 3600, pauses
        row = self.lookup
        assert row.failures == 8 and "answers 500" in row.problem
        assert row.answered_at is None and row.asked_at is not None
        self.assert_nothing_leaked(row.problem)

    def test_it_waits_as_long_as_it_is_told(self):
        self.controller.status = 429
        self.controller.headers = {"Retry-After": "1800"}
        self.look_up()
        assert 1790 < self.pause_s() <= 1800
        self.controller.headers = {"Retry-After": "999999"}
        self.look_up()
        assert 3590 < self.pause_s() <= 3600

    def test_an_answer_ends_it(self):
        self.controller.status = 500
        self.look_up()
        self.controller.status = 200
        self.look_up()
        row = self.lookup
        assert (row.failures, row.problem, row.doubt) == (0, "", "")
        assert row.answered_at and 890 < self.pause_s() <= 900
        assert (row.instances, row.others) == (1, 0)

    def test_a_doubt_is_kept_to_be_shown(self):
        """F20."""
        for number in range(2, 8):
            self.make(f"i-{number}")
        self.controller.instances.clear()
        self.look_up()
        assert "only 0 of 7" in self.lookup.doubt
        assert not self.orphans()

    def test_a_process_that_ends_leaves_it_to_another(self):
        self.look_up(is_stopping=lambda: True)
        assert self.pause_s() <= 0 and not self.lookup.problem

    def test_the_rows_wait_for_nobody(self):
        """No question is asked inside of a transaction, which would hold them."""
        outside, depths = len(connection.savepoint_ids), set()

        def get(*args, **options):
            depths.add(len(connection.savepoint_ids))
            return ask(*args, **options)

        ask = https.get
        with mock.patch.object(https, "get", get):
            self.look_up()
        assert depths == {outside}


class Turns(LookupTestCase):
    def test_nobody_is_asked_unless_configured(self):
        with override_settings(CLOUD_CONTROLLER={}):
            look_up_if_due(is_stopping=lambda: False)
        assert not self.controller.asked
        assert not PlatformLookup.objects.exists()

    def test_one_worker_at_a_time(self):
        assert PlatformLookup.claim()
        look_up_if_due(is_stopping=lambda: False)
        assert not PlatformLookup.claim() and not self.controller.asked

    def test_another_takes_over_from_one_that_died(self):
        PlatformLookup.claim()
        PlatformLookup.objects.update(due_at=Now() - timedelta(seconds=1))
        look_up_if_due(is_stopping=lambda: False)
        assert self.lookup.answered_at

    def test_not_before_it_is_due(self):
        self.look_up()
        asked = len(self.controller.asked)
        look_up_if_due(is_stopping=lambda: False)
        assert len(self.controller.asked) == asked


class InTheWorker(WorkerParts):
    def test_it_has_a_thread_of_its_own(self):
        """Slow or frozen, it keeps nobody else waiting (FAILURES I13)."""
        assert "look_up_platform" in [name for name, *_ in self.process._loops()]
        called = "instances.operations.platform_lookup.look_up_if_due"
        with mock.patch(called) as look_up:
            self.process._look_up_platform()
        look_up.assert_called_once()
        assert not settings.CLOUD_CONTROLLER
