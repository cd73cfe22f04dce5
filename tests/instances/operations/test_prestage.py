"""Prestage: the wish is recorded, and a worker builds or pulls."""

import tempfile
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db.models.functions import Now

from instances.containers.shipped import OWN_BASE, find_shipped
from instances.models import Actor, AuditEvent, HostImage
from instances.models.leased_work import MOST_CRASHES
from instances.operations import prestage
from tests.fakes import AFTER, BEFORE, WORKER, Crash
from tests.instances.base import DomainTestCase

OPERATOR = Actor(kind="operator", name="olga")
PULLED = "registry.example/tiny:1"
BUILT = "brokersite/tiny:1"
BASE = "debian:x-slim"


class PrestageTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(self.settings(SHIPPED_IMAGES=folder))
        self.folder = Path(folder) / "tiny"
        self.folder.mkdir()
        self.write("RUN echo hello")
        self.machine = self.world.machine
        self.machine.images.add(BASE)
        self.machine.registry.add(PULLED)

    def write(self, *lines):
        text = "\n".join([f"ARG BASE={BASE}", "FROM ${BASE}", *lines])
        (self.folder / "Dockerfile").write_text(text)

    def accept(self, image):
        return prestage.accept(self.host, image, actor=OPERATOR)

    def perform(self, **options):
        row = HostImage.objects.claim_next(WORKER)
        prestage.perform(row, **options)
        row.refresh_from_db()
        return row

    def prestaged(self, image):
        self.accept(image)
        return self.perform()


class Accepting(PrestageTestCase):
    def test_records_and_touches_nothing(self):
        assert self.accept(PULLED)
        assert HostImage.objects.get().state == "wanted"
        assert self.faults.calls == []

    def test_is_audited_once(self):
        self.accept(PULLED)
        assert not self.accept(PULLED)
        event = AuditEvent.objects.get()
        assert (event.actor_name, event.action) == ("olga", "prestage image")
        assert event.target == f"image {PULLED} on Docker host {self.host.name}"


class Pulling(PrestageTestCase):
    def test_brings_the_image(self):
        row = self.prestaged(PULLED)
        assert (row.state, row.error) == ("ready", "")
        assert row.finished_at is not None
        assert PULLED in self.machine.images

    def test_what_no_registry_has_is_a_failure_with_its_reason(self):
        row = self.prestaged("registry.example/none:1")
        assert row.state == "failed"
        assert "manifest unknown" in row.error

    def test_a_failure_can_be_tried_again(self):
        self.machine.registry.clear()
        assert self.prestaged(PULLED).state == "failed"
        self.machine.registry.add(PULLED)
        assert self.prestaged(PULLED).state == "ready"

    def test_a_name_of_ours_is_asked_of_no_registry(self):
        """Anyone may have taken it there."""
        self.machine.registry.add("brokersite/none:1")
        row = self.prestaged("brokersite/none:1")
        assert row.state == "failed"
        assert "does not come with this release" in row.error
        assert "pull" not in self.faults.calls

    def test_a_silent_host_is_a_failure_with_its_reason(self):
        self.machine.is_down = True
        row = self.prestaged(PULLED)
        assert (row.state, row.error) == ("failed", "the machine is down")


class Building(PrestageTestCase):
    def test_builds_what_this_code_ships(self):
        assert self.prestaged(BUILT).state == "ready"
        build = self.machine.built[BUILT]
        assert build.arguments == {"BASE": BASE, "VERSION": "1"}
        assert build.labels == {"brokersite.source": find_shipped(BUILT).source}
        assert not build.on_host_network

    def test_what_is_there_is_left_alone(self):
        self.prestaged(BUILT)
        assert self.prestaged(BUILT).state == "ready"
        assert self.faults.calls.count("build") == 1

    def test_what_an_older_release_has_built_is_built_again(self):
        self.prestaged(BUILT)
        self.write("RUN echo goodbye")
        assert self.prestaged(BUILT).state == "ready"
        assert self.faults.calls.count("build") == 2

    def test_a_base_that_is_missing_is_pulled(self):
        self.machine.images.remove(BASE)
        self.machine.registry.add(BASE)
        assert self.prestaged(BUILT).state == "ready"

    def test_the_base_of_our_own_needs_no_registry(self):
        self.machine.images.remove(BASE)
        self.machine.images.add(OWN_BASE)
        proxy = {"http_proxy": "http://proxy.example:3128"}
        with mock.patch.dict("os.environ", proxy):
            assert self.prestaged(BUILT).state == "ready"
        build = self.machine.built[BUILT]
        assert build.arguments["BASE"] == OWN_BASE
        assert build.arguments["http_proxy"] == "http://proxy.example:3128"
        assert build.on_host_network

    def test_no_base_at_all_is_told_with_the_cure(self):
        self.machine.images.remove(BASE)
        row = self.prestaged(BUILT)
        assert row.state == "failed"
        assert f"{BUILT} is built on {BASE}, which is not on the host" in row.error
        assert "docker load" in row.error
        assert BUILT not in self.machine.images

    def test_a_step_that_fails_shows_its_last_lines(self):
        self.write("RUN echo the-reason; exit 1")
        row = self.prestaged(BUILT)
        assert row.state == "failed"
        assert "the-reason" in row.error

    def test_a_bug_is_a_failure_and_not_an_endless_retry(self):
        self.accept(BUILT)
        self.faults.on("build", ValueError("a bug"))
        with self.assertLogs("instances.operations.prestage", "ERROR"):
            row = self.perform()
        assert (row.state, row.error) == ("failed", "ValueError: a bug")


class Progress(PrestageTestCase):
    def test_of_one_step_is_written_at_most_once_a_second(self):
        self.write(*(f"RUN echo line-{number}" for number in range(50)))
        self.accept(BUILT)
        clock = mock.patch.object(prestage.time, "monotonic")
        with mock.patch.object(HostImage, "note") as note, clock as monotonic:
            # A tenth of a second from each line to the next.
            monotonic.side_effect = (0.1 * tick for tick in range(1000))
            self.perform()
        said = [call.args[0] for call in note.call_args_list]
        assert said[:2] == [f"building on {BASE}", "step: line-0"]
        assert 2 < len(said) < 8

    def test_shows_a_step_at_once(self):
        self.accept(BUILT)
        said = []
        look = lambda: said.append(HostImage.objects.get().progress)  # noqa: E731
        self.faults.on("find", look, nth=3)
        self.perform()
        assert said == ["step: hello"]


class Interrupted(PrestageTestCase):
    def expire(self):
        HostImage.objects.update(leased_until=Now() - timedelta(seconds=1))

    def test_killed_at_any_call_another_worker_goes_on(self):
        """F22, F23: before and after each call to Docker."""
        for moment in (BEFORE, AFTER):
            for nth in range(1, 5):
                self.machine.images.discard(BUILT)
                self.machine.built.clear()
                self.accept(BUILT)
                self.faults.on(None, Crash(), nth=nth, moment=moment)
                with pytest.raises(Crash):
                    self.perform()
                assert HostImage.objects.claim_next("another") is None
                self.expire()
                assert self.perform().state == "ready", (moment, nth)
                assert BUILT in self.machine.images

    def test_what_kills_its_workers_is_given_up(self):
        self.accept(BUILT)
        for _ in range(MOST_CRASHES):
            self.faults.on("build", Crash())
            with pytest.raises(Crash):
                self.perform()
            self.expire()
        row = self.perform()
        assert row.state == "failed"
        assert "interrupted 3 times" in row.error
        assert self.prestaged(BUILT).state == "ready"

    def test_a_stop_hands_it_back(self):
        """F28."""
        self.accept(BUILT)
        row = self.perform(is_stopping=lambda: True)
        assert (row.state, row.owner, row.crashes) == ("wanted", "", 0)
        assert self.perform().state == "ready"

    def test_who_has_lost_the_lease_writes_nothing(self):
        self.accept(BUILT)
        taken = lambda: HostImage.objects.update(owner="another")  # noqa: E731
        self.faults.on("build", taken, moment=AFTER)
        with self.assertLogs("instances.operations.prestage", "WARNING"):
            row = self.perform()
        assert (row.state, row.owner) == ("working", "another")
