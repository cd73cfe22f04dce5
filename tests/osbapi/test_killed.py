"""What a platform finds after an answer that it did not get."""

from unittest import mock

import pytest

from instances.models import Operation, ServiceInstance
from instances.models.operation import OperationQuerySet
from instances.operations import back_up
from instances.operations.execution import run
from tests.fakes import Crash, drain, make_plan
from tests.instances.backups import OPERATOR
from tests.osbapi.base import IDS, PlatformTestCase

LARGE = "plan-large"


class KilledTest(PlatformTestCase):
    def test_a_create_that_was_not_recorded_is_unknown(self):
        """F1: kill -9 between the rows and their commit."""
        killed = mock.patch.object(OperationQuerySet, "enqueue", side_effect=Crash)
        with killed, pytest.raises(Crash):
            self.put()
        assert not ServiceInstance.objects.exists()
        assert self.poll().status_code == 404
        assert self.delete().status_code == 410
        # The platform's user asks again, under another id: see test_late.py.
        assert self.put("i-2").status_code == 202


class RepeatedDeleteTest(PlatformTestCase):
    def test_each_of_eleven_deletes_is_answered_alike(self):
        """F7: as often as Cloud Controller asks; then it ends without being asked."""
        self.ready()
        self.world.machine.is_down = True
        answers = []
        for _ in range(11):
            answers.append(self.delete())
            Operation.objects.hurry(self.host)
            drain_once()
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["operation"] for answer in answers}) == 1
        self.world.machine.is_down = False
        drain()
        assert self.world.containers() == []
        assert self.delete().status_code == 410


class BusyTest(PlatformTestCase):
    def test_an_update_during_a_backup_is_busy(self):
        """F82: and afterwards it is done."""
        make_plan(LARGE, memory_mb=512)
        body = {"service_id": IDS["service_id"], "plan_id": LARGE}
        path = self.path("i-1", True)
        back_up.accept(self.ready(), **OPERATOR)
        answer = self.call("PATCH", path, body)
        assert answer.status_code == 422
        assert answer.json()["error"] == "ConcurrencyError"
        drain()
        assert self.call("PATCH", path, body).status_code == 202


def drain_once() -> None:
    operation = Operation.objects.claim_next("worker")
    if operation is not None:
        run(operation)
