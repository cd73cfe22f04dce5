"""What stays of a container that could not be used."""

from datetime import timedelta

from django.utils import timezone

from instances import errors
from instances.host_keeping import HostKeeping
from instances.models import Container, Evidence, Operation
from tests.fakes import IMAGE, drain
from tests.instances.base import DomainTestCase


class EvidenceTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.machine.failing_images[IMAGE] = 3
        self.instance = self.accept_provision()
        self.faults.on("start", self.say)

    def say(self) -> None:
        secret = Container.objects.get().admin_secret
        (made,) = self.world.containers()
        lines = [f"line {number}" for number in range(300)]
        said = [f"secret {secret}", "password=hunter22", "cannot open ibdata1"]
        made.log = "\n".join([*lines, *said])

    def failed(self) -> Operation:
        drain()
        operation = self.instance.operations.get()
        assert operation.state == "failed"
        assert self.world.containers() == []
        return operation

    def test_state_and_log_stay_without_secrets(self):
        """F60, I14."""
        operation = self.failed()
        text = operation.evidence.text
        assert "exit code: 3" in text and f"image: {IMAGE}" in text
        assert "cannot open ibdata1" in text
        assert "line 299" in text and "line 102" not in text
        for said in (text, operation.detail):
            assert "secret ***" in said and "password=***" in said
            assert "hunter22" not in said

    def test_a_host_that_does_not_answer_has_nothing_to_say(self):
        for _ in range(6):
            self.faults.on("logs", errors.HostUnreachable(detail="down"))
        drain()
        assert self.instance.operations.get().state == "failed"

    def test_it_goes_after_seven_days(self):
        self.failed()
        keeper = HostKeeping()
        keeper._reconcile(self.host)
        assert Evidence.objects.exists()
        week = timezone.now() - timedelta(days=7, seconds=1)
        Evidence.objects.update(taken_at=week)
        keeper._reconcile(self.host)
        assert not Evidence.objects.exists()
        assert Operation.objects.exists()
