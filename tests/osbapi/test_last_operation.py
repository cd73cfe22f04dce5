from django.db import connection
from django.test.utils import CaptureQueriesContext

from instances.models import Operation, ServiceInstance
from tests.fakes import drain
from tests.osbapi.base import PlatformTestCase


class LastOperationTest(PlatformTestCase):
    """OSB-CHECKLIST 79-89."""

    def state(self, guid: str = "i-1", **query: str) -> str:
        answer = self.poll(guid, **query)
        assert answer.status_code == 200
        return answer.json()["state"]

    def test_it_follows_a_provision(self):
        """OSB-CHECKLIST 80."""
        self.put()
        assert self.state() == "in progress"
        drain()
        assert self.state() == "succeeded"

    def test_progress_is_described(self):
        """OSB-CHECKLIST 80: non-empty if present."""
        self.put()
        assert "description" not in self.poll().json()
        Operation.objects.update(steps=[{"at": "now", "text": "starting"}])
        assert self.poll().json()["description"] == "starting"

    def test_a_failure_has_a_sentence_for_the_user(self):
        """OSB-CHECKLIST 80."""
        self.world.machine.images.clear()
        self.put()
        drain()
        document = self.poll().json()
        assert document["state"] == "failed"
        assert document["description"] == "The database's image is missing on the host."

    def test_the_operators_detail_is_not_shown(self):
        """S42."""
        self.world.machine.images.clear()
        self.put()
        drain()
        assert "brokersite/mariadb" not in str(self.poll().json())

    def test_flags_of_other_operations_are_left_out(self):
        """OSB-CHECKLIST 35, 81."""
        self.world.machine.images.clear()
        self.put()
        drain()
        assert not set(self.poll().json()) & {"instance_usable", "update_repeatable"}

    def test_an_unknown_instance_is_404(self):
        """OSB-CHECKLIST 83 (F16)."""
        assert self.poll("unknown").status_code == 404

    def test_it_follows_a_deprovision_to_the_end(self):
        """OSB-CHECKLIST 83, 21.3: succeeded, not 410."""
        self.ready()
        self.delete()
        assert self.state() == "in progress"
        drain()
        assert self.state() == "succeeded"

    def test_it_can_be_asked_again_and_again(self):
        """OSB-CHECKLIST 85."""
        self.ready()
        assert [self.state() for _ in range(3)] == ["succeeded"] * 3

    def test_each_operation_is_found_by_its_name(self):
        """OSB-CHECKLIST 86."""
        provision = self.put().json()["operation"]
        drain()
        deprovision = self.delete().json()["operation"]
        assert self.state(operation=provision) == "succeeded"
        assert self.state(operation=deprovision) == "in progress"

    def test_an_interrupted_provision_has_failed(self):
        """OSB-CHECKLIST 86 (F12)."""
        provision = self.put().json()["operation"]
        self.delete()
        drain()
        assert self.state(operation=provision) == "failed"
        assert self.state() == "succeeded"

    def test_an_unknown_operation_is_answered_for_the_newest(self):
        """OSB-CHECKLIST 84, 21.3."""
        self.ready()
        for operation in ("", "nonsense", "0" * 32, "x" * 5000, "\u2028"):
            assert self.state(operation=operation) == "succeeded"

    def test_an_operation_of_another_instance_is_not_shown(self):
        """S30."""
        other = self.put("i-2").json()["operation"]
        self.ready()
        Operation.objects.filter(instance__guid="i-2").update(state="failed")
        assert self.state(operation=other) == "succeeded"

    def test_the_hints_may_be_missing_or_right(self):
        """OSB-CHECKLIST 79."""
        self.ready()
        assert self.state(service_id="offering-1", plan_id="plan-1") == "succeeded"

    def test_a_new_instance_under_an_old_id_is_the_one_that_is_meant(self):
        """OSB-CHECKLIST 76."""
        self.ready()
        self.delete(is_async=False)
        self.put()
        assert self.state() == "in progress"

    def test_an_operation_of_the_former_instance_is_still_found(self):
        """OSB-CHECKLIST 85."""
        former = self.put().json()["operation"]
        drain()
        self.delete(is_async=False)
        self.put()
        assert self.state(operation=former) == "succeeded"

    def test_binds_are_none_of_its_business(self):
        self.ready()
        self.bind()
        assert Operation.objects.count() == 2
        assert self.state() == "succeeded"

    def test_it_asks_the_outside_nothing(self):
        """OSB-CHECKLIST 88."""
        self.ready()
        self.faults.calls.clear()
        self.poll()
        assert self.faults.calls == []

    def test_it_asks_the_database_little(self):
        """OSB-CHECKLIST 88."""
        self.ready()
        self.poll()
        with CaptureQueriesContext(connection) as queries:
            self.poll()
        assert len(queries) <= 5

    def test_a_retry_that_waits_is_in_progress_with_the_reason(self):
        """F32."""
        self.world.machine.is_down = True
        self.put()
        operation = Operation.objects.get()
        Operation.objects.update(error="The host cannot be reached.")
        assert operation.state == "queued"
        assert self.poll().json() == {
            "state": "in progress",
            "description": "The host cannot be reached.",
        }

    def test_a_gone_instance_keeps_its_history(self):
        """OSB-CHECKLIST 85."""
        self.ready()
        self.delete(is_async=False)
        assert not ServiceInstance.objects.filter(live_key__isnull=False).exists()
        assert self.state() == "succeeded"
