"""A worker's look after its hosts."""

from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from instances.models import ContainerSample, DockerHost, HostSample, Operation
from tests.fakes import make_host
from tests.instances.worker_parts import WorkerParts


class HostKeepingTest(WorkerParts):
    def test_a_host_that_is_due_is_reconciled_once(self):
        """F30: one worker at a time takes a host."""
        self.process._keep_house()
        self.process._keep_house()
        assert self.faults.calls.count("list") == 1

    def test_a_dead_host_is_noted_and_delays_no_other(self):
        """I13."""
        make_host("two")
        self.world.machine.is_down = True
        self.process._keep_house()
        problems = DockerHost.objects.order_by("name").values_list("problem", flat=True)
        assert [bool(problem) for problem in problems] == [True, False]

    def test_a_host_that_stops_answering_is_noted_within_seconds(self):
        """F32."""
        self.process._keep_house()
        self.world.machine.is_down = True
        self.process._keep_house()
        assert not DockerHost.objects.get().problem, "not asked again at once"
        self.process._health_at.clear()
        self.process._keep_house()
        assert DockerHost.objects.get().problem == "the machine is down"

    def test_a_host_that_is_back_is_reconciled_and_pays_at_once(self):
        """F71, F108."""
        instance = self.provisioned()
        self.world.machine.is_down = True
        self.process._keep_house()
        self.accept_deprovision(instance)
        self.process._dispatch()
        Operation.objects.update(not_before=Now() + timedelta(seconds=60))
        self.process._dispatch()
        assert Operation.objects.unfinished().exists()
        self.world.machine.is_down = False
        self.process._health_at.clear()
        self.process._keep_house()
        assert not DockerHost.objects.get().problem
        Operation.objects.update(not_before=F("not_before") - timedelta(seconds=1))
        self.process._dispatch()
        assert not Operation.objects.unfinished().exists()

    def test_a_pass_that_hangs_is_not_begun_again(self):
        """I13: the next one is another worker's, or comes when this one ends."""
        self.process._crew._busy.add(("reconcile", self.host.pk))
        self.process._keep_house()
        assert "list" not in self.faults.calls
        assert DockerHost.objects.get().reconcile_after is None

    def test_a_host_that_is_due_is_measured_once(self):
        """F30."""
        self.process._measure()
        self.process._measure()
        assert self.faults.calls.count("sizes") == 1

    def test_a_host_that_cannot_be_measured_delays_no_other(self):
        """I13."""
        make_host("two")
        self.world.machine.is_down = True
        with self.assertLogs("instances.host_keeping", "WARNING") as logged:
            self.process._measure()
        assert "host=one is not measured" in logged.output[0]
        assert self.faults.calls.count("sizes") == 2

    def test_a_host_that_is_due_is_sampled_once(self):
        """F30."""
        self.provisioned()
        for _ in range(2):
            self.process._sample()
        assert HostSample.objects.count() == ContainerSample.objects.count() == 1

    def test_a_host_that_cannot_be_sampled_delays_no_other(self):
        """I13."""
        self.provisioned()
        make_host("two")
        self.world.machine.is_down = True
        self.process._sample()
        assert HostSample.objects.count() == 2
        assert not ContainerSample.objects.exists()
