import os
import threading
from datetime import timedelta
from unittest import mock

from django.db import OperationalError
from django.db.models.functions import Now
from django.test import TransactionTestCase

from instances import tracing
from instances.models import Actor, DockerHost, HostImage, Operation, Worker
from instances.models.broker import HEARTBEAT_LIMIT
from instances.operations.back_up import PAUSE_LIMIT_S
from instances.worker import EXIT_HUNG, WorkerProcess
from tests.fakes import drain, make_host, make_plan
from tests.instances.base import Wishes
from tests.instances.worker_parts import WorkerParts


class WorkerPartsTest(WorkerParts):
    """Each loop's body, run once in this thread."""

    def test_work_runs_what_is_due(self):
        self.accept_provision()
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        self.process._dispatch()
        assert Operation.objects.get().state == "succeeded"

    def test_work_waits_when_there_is_nothing(self):
        self.process._finished = mock.Mock()
        self.process._dispatch()
        self.process._finished.wait.assert_called_once()

    def test_a_host_whose_lane_is_full_keeps_no_other_waiting(self):
        """I13: one thread, and it is not the first host's."""
        first = self.provisioned("i-1")
        make_host("two", memory_mb=10**6)
        for instance in (first, self.provisioned("i-2")):
            self.accept_deprovision(instance)
        self.process._lanes.enter("stuck", self.host.pk)
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        for _ in range(3):
            self.process._dispatch()
        states = Operation.objects.filter(kind="deprovision").order_by("created_at")
        assert [row.state for row in states] == ["queued", "succeeded"]
        self.process._lanes.leave("stuck")
        self.process._dispatch()
        assert not Operation.objects.unfinished().exists()

    def test_what_is_not_placed_yet_has_a_lane_of_its_own(self):
        """I13."""
        self.accept_provision()
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        self.process._lanes.enter("stuck", None)
        self.process._dispatch()
        assert Operation.objects.get().state == "queued"
        self.process._lanes.leave("stuck")
        self.process._dispatch()
        assert Operation.objects.get().state == "succeeded"

    def test_what_the_database_cuts_short_is_nobody_s(self):
        """F117: the heartbeat keeps it for no owner who does nothing about it."""
        self.accept_provision()
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        gone = OperationalError("gone")
        with mock.patch("instances.worker.run", side_effect=gone):
            with self.assertRaises(OperationalError):
                self.process._dispatch()
        owner = Operation.objects.get().owner
        assert owner not in [*self.process._lanes.owners(), *self.process._free_owners]

    def test_a_beat_shows_life_and_keeps_the_leases(self):
        """F22."""
        operation = self.provision_operation()
        owner = f"{self.process.name}-0"
        self.process._lanes.enter(owner, None)
        Operation.objects.update(owner=owner, leased_until=Now() - timedelta(seconds=1))
        self.process._beat()
        assert Worker.objects.alive().count() == 1
        assert not Operation.objects.claimable().filter(pk=operation.pk).exists()

    def test_images_are_prestaged(self):
        self.world.machine.registry.add("registry.example/tiny:1")
        HostImage.objects.want(DockerHost.objects.get(), "registry.example/tiny:1")
        self.process._prestage()
        assert HostImage.objects.get().state == "ready"
        self.process._prestage()
        self.process._stopping.wait.assert_called_once()

    def test_hand_back_frees_what_it_held_and_its_name(self):
        """F28."""
        self.provision_operation()
        owner = f"{self.process.name}-0"
        self.process._lanes.enter(owner, None)
        Operation.objects.update(owner=owner)
        self.process._beat()
        self.process._hand_back()
        operation = Operation.objects.get()
        assert (operation.state, operation.owner) == ("queued", "")
        assert not Worker.objects.exists()

    def test_a_database_that_is_down_is_waited_for(self):
        """F117."""
        body = mock.Mock(side_effect=[OperationalError("gone"), None])
        self.process._stopping.is_set.side_effect = [False, False, True]
        self.process._guarded(body)
        assert body.call_count == 2

    def test_a_bug_in_a_body_does_not_end_the_thread(self):
        """F26."""
        body = mock.Mock(side_effect=[ValueError("a bug"), None])
        self.process._stopping.is_set.side_effect = [False, False, True]
        with self.assertLogs("instances.worker", "ERROR"):
            self.process._guarded(body)
        assert body.call_count == 2

    def test_an_operations_own_deadline_may_pass_in_silence(self):
        """F29: a call may take so long, and a deletion after its deadline as well."""
        operation = self.provision_operation()
        pulse = self.process._here.pulse = mock.Mock()
        self.process._expect(operation)
        (left_s,) = pulse.expect.call_args.args
        assert 800 < left_s <= 840
        operation.deadline_at -= timedelta(hours=1)
        self.process._expect(operation)
        assert pulse.expect.call_args.args == (PAUSE_LIMIT_S,)

    def test_each_step_of_an_operation_is_a_sign_of_life(self):
        """F29."""
        self.accept_provision()
        pulse = self.process._here.pulse = mock.Mock()
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        self.process._dispatch()
        steps = Operation.objects.get().steps
        assert pulse.show_life.call_count >= len(steps) > 1

    def test_what_one_that_hangs_is_at_is_not_handed_back(self):
        """F26: or it would make each worker hang, and no attempt would count."""
        operation = self.provision_operation()
        owner = f"{self.process.name}-0"
        self.process._lanes.enter(owner, None)
        Operation.objects.update(owner=owner, handed_back=0)
        self.process._lost = [mock.Mock()]
        self.process._lost[0].name = owner
        self.process._hand_back()
        operation.refresh_from_db()
        assert (operation.state, operation.handed_back) == ("running", 0)

    def test_nor_is_an_image_that_hangs(self):
        """F26: an attempt that ends with its worker counts as a crash."""
        HostImage.objects.want(DockerHost.objects.get(), "registry.example/tiny:1")
        HostImage.objects.claim_next(self.process.name)
        self.process._lost = [mock.Mock()]
        self.process._lost[0].name = "prestage"
        self.process._hand_back()
        assert HostImage.objects.get().state == "working"

    def test_the_heart_beats_often_whatever_a_lease_is(self):
        with self.settings(OPERATION_LEASE_S=3600):
            self.process._beat()
        (pause_s,) = self.process._stopping.wait.call_args.args
        assert pause_s <= HEARTBEAT_LIMIT.total_seconds() / 3

    def test_operations_are_named_in_the_log(self):
        """Whatever is logged about it, by whichever module."""
        seen = []
        self.faults.on("create", lambda: seen.append(dict(tracing.current())))
        actor = Actor(kind="platform", name="p", request_id="platform-1")
        instance = self.accept_provision(actor=actor)
        Operation.objects.update(not_before=Now() - timedelta(seconds=1))
        self.process._dispatch()
        assert seen == [
            {
                "operation": str(Operation.objects.get().pk),
                "instance": str(instance.pk),
                "request_identity": "platform-1",
            }
        ]
        assert tracing.current() == {}


class WorkerProcessTest(Wishes, TransactionTestCase):
    """The whole, with real threads."""

    def setUp(self) -> None:
        super().setUp()
        make_plan()
        make_host()

    def run_until(self, condition: threading.Event) -> None:
        process = WorkerProcess(threads=2)
        thread = threading.Thread(target=process.run)
        thread.start()
        try:
            assert condition.wait(20)
        finally:
            process.stop()
            thread.join(20)
        assert not thread.is_alive()

    def test_it_works_off_the_queue_and_stops(self):
        done = threading.Event()
        self.faults.on("create_database", done.set, nth=3)
        for number in range(3):
            self.accept_provision(f"i-{number}")
        self.run_until(done)
        drain()
        states = set(Operation.objects.values_list("state", flat=True))
        assert states == {"succeeded"}
        assert len(self.world.containers()) == 3
        assert self.faults.calls.count("create") == 3

    def test_one_that_hangs_ends_the_process(self):
        """F29."""
        release = threading.Event()
        self.addCleanup(release.set)
        self.enterContext(self.settings(WATCHDOG_S=0.5))
        self.enterContext(mock.patch("instances.worker.STOP_LIMIT_S", 0.1))
        timer = self.enterContext(mock.patch("instances.worker.threading.Timer"))
        self.enterContext(
            mock.patch.object(
                WorkerProcess, "_prestage", autospec=True, side_effect=release.wait
            )
        )
        self.enterContext(mock.patch("instances.worker.HOUSEKEEPING_LIMITS", 1))
        process = WorkerProcess(threads=1)
        thread = threading.Thread(target=process.run)
        with self.assertLogs("instances.worker", "CRITICAL") as logged:
            thread.start()
            thread.join(20)
        assert not thread.is_alive()
        assert process.has_hung
        assert "has shown no life" in logged.output[0]
        (_, end, (status,)), _ = timer.call_args
        assert (end, status) == (os._exit, EXIT_HUNG)

    def test_stopped_in_the_middle_it_hands_back(self):
        """F28."""
        self.world.engine.is_down = True
        waiting = threading.Event()
        self.faults.on("check", waiting.set)
        self.accept_provision()
        self.run_until(waiting)
        operation = Operation.objects.get()
        assert (operation.state, operation.owner) == ("queued", "")
        self.world.engine.is_down = False
        drain()
        assert Operation.objects.get().state == "succeeded"
        assert self.faults.calls.count("remove") == 0
