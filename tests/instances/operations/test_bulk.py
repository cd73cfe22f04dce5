"""Bulk runs: a few at a time, each once, through crashes and pauses."""

import pytest

from instances.models import Actor, AuditEvent, BulkRun, Operation, ServiceInstance
from instances.operations import bulk
from instances.operations.execution import run as perform
from tests.fakes import Crash, claim, drain
from tests.instances.base import DomainTestCase

OLGA = Actor(kind="operator", name="olga")


class BulkTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        self.instances = [self.provisioned(f"i-{number}") for number in range(5)]

    def planned(self, action="restart"):
        ids = [instance.pk for instance in self.instances]
        return bulk.plan(action, ids, actor=OLGA)

    def begun(self, action="restart", concurrency=2, **wish):
        run = self.planned(action)
        wish = {"with_backup": False, "reason": "a test", **wish}
        assert bulk.start(run, actor=OLGA, concurrency=concurrency, **wish)
        return run

    def asked(self, kind="restart"):
        return Operation.objects.filter(kind=kind)

    def finish_one(self):
        perform(claim(self.asked().unfinished().filter(state="queued").first()))


class Progress(BulkTestCase):
    def test_nothing_is_begun_before_it_is_confirmed(self):
        self.planned()
        bulk.advance()
        assert not self.asked().exists()

    def test_only_so_many_at_a_time(self):
        run = self.begun()
        for _ in range(3):
            bulk.advance()
        assert self.asked().count() == 2
        self.finish_one()
        bulk.advance()
        assert self.asked().count() == 3
        assert run.counts() == {"started": 2, "succeeded": 1, "waiting": 2}

    def test_it_ends_with_each_done_once(self):
        run = self.begun()
        for _ in range(10):
            bulk.advance()
            drain()
        run.refresh_from_db()
        assert run.state == "finished"
        assert run.finished_at is not None
        assert run.counts() == {"succeeded": 5}
        assert self.asked().count() == 5
        assert {row.requested_by for row in self.asked()} == {"operator olga"}

    def test_a_crash_while_one_is_begun_loses_and_doubles_nothing(self):
        """F22: the item and its operation are one transaction."""
        run = self.begun(concurrency=1)
        before = ServiceInstance.objects.count()

        def die(*args, **kwargs):
            accept(*args, **kwargs)
            raise Crash

        accept, bulk._accept = bulk._accept, die
        try:
            with pytest.raises(Crash):
                bulk.advance()
        finally:
            bulk._accept = accept
        assert not self.asked().exists()
        bulk.advance()
        assert self.asked().count() == 1
        assert run.counts() == {"started": 1, "waiting": 4}
        assert ServiceInstance.objects.count() == before

    def test_one_that_is_busy_is_refused_with_the_reason(self):
        bulk.run_state.accept(self.instances[0], bulk.Kind.RESTART, actor=OLGA)
        run = self.begun(concurrency=5)
        bulk.advance()
        item = run.items.first()
        assert item.state == "refused"
        assert "Another operation" in item.reason
        assert run.counts()["started"] == 4

    def test_one_that_fails_says_why_and_the_others_go_on(self):
        self.world.container_of(self.instances[1])
        row = self.instances[1].container
        del self.world.machine.containers[row.name]
        run = self.begun()
        for _ in range(10):
            bulk.advance()
            drain()
        assert run.counts() == {"failed": 1, "succeeded": 4}
        failed = run.items.get(state="failed")
        assert failed.instance == self.instances[1]
        assert failed.reason == failed.operation.error != ""


class Steering(BulkTestCase):
    def steer(self, run, word):
        return bulk.steer(run, word, actor=OLGA)

    def test_a_paused_one_begins_nothing_and_notes_what_ended(self):
        run = self.begun()
        bulk.advance()
        assert self.steer(run, "pause")
        drain()
        bulk.advance()
        assert run.counts() == {"succeeded": 2, "waiting": 3}
        assert self.steer(run, "continue")
        bulk.advance()
        assert run.counts()["started"] == 2

    def test_a_cancelled_one_leaves_the_rest_alone(self):
        run = self.begun()
        bulk.advance()
        assert self.steer(run, "cancel")
        drain()
        bulk.advance()
        assert run.counts() == {"succeeded": 2, "cancelled": 3}
        assert self.asked().count() == 2

    def test_second_click_changes_nothing(self):
        run = self.begun()
        again = BulkRun.objects.get(pk=run.pk)
        assert not bulk.start(
            again, actor=OLGA, concurrency=9, with_backup=True, reason="x"
        )
        assert BulkRun.objects.get(pk=run.pk).concurrency == 2
        assert self.steer(run, "cancel")
        assert not self.steer(run, "continue")
        assert AuditEvent.objects.filter(action="bulk run: start").count() == 1


class Actions(BulkTestCase):
    def ran(self, action, **wish):
        run = self.begun(action, concurrency=5, **wish)
        for _ in range(3):
            bulk.advance()
            drain()
        return run

    def test_back_up(self):
        run = self.ran("back_up")
        assert run.counts() == {"succeeded": 5}
        assert self.asked("back_up").count() == 5

    def test_upgrade_leaves_alone_what_is_as_planned(self):
        assert self.ran("upgrade").counts() == {"skipped": 5}
        type(self.plan).objects.update(memory_mb=300)
        assert self.ran("upgrade").counts() == {"succeeded": 5}

    def test_deprovision(self):
        run = self.ran("deprovision")
        assert run.counts() == {"succeeded": 5}
        self.assert_nothing_is_left()
        assert self.ran("deprovision").counts() == {"skipped": 5}

    def test_other_errors_of_the_wish_are_its_reason(self):
        type(self.plan.offering).objects.update(engine="generic")
        run = self.begun("back_up", concurrency=5)
        bulk.advance()
        assert run.counts() == {"refused": 5}
        assert "no backup could be proved" in run.items.first().reason
