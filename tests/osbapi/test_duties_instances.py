"""Duties about service instances that no other test is about."""

from datetime import timedelta
from typing import Any
from unittest import mock

from django.db.models.functions import Now

from instances.models import Operation, PortLease, ServiceInstance, ServicePlan
from instances.operations import hosts, succession
from instances.operations.execution import run
from tests.fakes import OFFERING_ID, check_invariants, drain, expire_leases, make_plan
from tests.osbapi.base import BODY, IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1"
LARGE = "plan-large"


class InstanceTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_plan(LARGE, memory_mb=512)

    def fetch(self, guid: str = "i-1") -> Any:
        return self.get(f"/v2/service_instances/{guid}")

    def patch(self, *, is_async: bool = True, **fields: Any) -> Any:
        body = {"service_id": OFFERING_ID, **fields}
        return self.call("PATCH", self.path("i-1", is_async), body)

    def fail(self, guid: str = "i-1") -> None:
        self.world.machine.images.clear()
        self.put(guid)
        drain()


class ProvisionDutyTest(InstanceTestCase):
    def test_the_operations_name_is_short_and_needs_no_encoding(self):
        """OSB-CHECKLIST 30, 78, 140."""
        self.ready()
        for answer in (self.put("i-2"), self.patch(plan_id=LARGE), self.delete()):
            assert answer.json()["operation"].isalnum()
            assert len(answer.json()["operation"]) <= 10_000

    def test_the_other_fields_of_maintenance_info_do_not_count(self):
        """OSB-CHECKLIST 67, 70."""
        ServicePlan.objects.update(maintenance_version="1.0.0")
        for description in ("one", "another"):
            maintenance = {"version": "1.0.0", "description": description}
            assert self.put(maintenance_info=maintenance).status_code == 202

    def test_success_is_not_said_before_the_database_takes_a_login(self):
        """OSB-CHECKLIST 145."""
        self.put()
        broken = mock.patch.object(self.world.engine, "check", side_effect=KeyError)
        with broken as check, self.assertLogs("instances", "ERROR"):
            run(Operation.objects.claim_next("worker"))
        assert check.called
        assert self.poll().json()["state"] == "failed"

    def test_a_worker_that_died_delays_and_does_not_end_it(self):
        """OSB-CHECKLIST 147."""
        self.put()
        assert Operation.objects.claim_next("a dead worker")
        expire_leases()
        drain()
        assert self.poll().json()["state"] == "succeeded"

    def test_it_has_failed_before_the_platform_stops_to_ask(self):
        """OSB-CHECKLIST 89, 149."""
        self.put()
        operation = Operation.objects.get()
        longest = timedelta(seconds=self.plan.maximum_polling_duration)
        assert operation.deadline_at < operation.created_at + longest
        self.world.machine.is_down = True
        Operation.objects.update(deadline_at=Now() - timedelta(seconds=1))
        drain()
        assert self.poll().json()["state"] == "failed"


class PollDutyTest(InstanceTestCase):
    def test_wrong_hints_are_400(self):
        """OSB-CHECKLIST 79, 84."""
        self.ready()
        for name in IDS:
            assert self.poll(**{name: "wrong"}).status_code == 400

    def test_the_old_plan_is_right_while_it_is_changed(self):
        """OSB-CHECKLIST 79."""
        self.ready()
        operation = self.patch(plan_id=LARGE).json()["operation"]
        query = {**IDS, "operation": operation}
        assert self.poll(**query).json()["state"] == "in progress"
        drain()
        assert self.poll(**query).json()["state"] == "succeeded"


class FetchDutyTest(InstanceTestCase):
    def test_it_can_be_fetched_as_soon_as_it_has_succeeded(self):
        """OSB-CHECKLIST 48, 90: whatever its plan is."""
        for number, plan_id in enumerate((IDS["plan_id"], LARGE)):
            guid = f"i-{number}"
            self.put(guid, plan_id=plan_id)
            drain()
            assert self.poll(guid).json()["state"] == "succeeded"
            assert self.fetch(guid).json()["plan_id"] == plan_id

    def test_wrong_hints_are_400_and_missing_ones_are_not(self):
        """OSB-CHECKLIST 91."""
        self.ready()
        assert self.fetch().status_code == 200
        assert self.get(f"{INSTANCE}?service_id=wrong").status_code == 400
        assert self.get(f"{INSTANCE}?plan_id=wrong").status_code == 400

    def test_a_failed_one_is_404(self):
        """OSB-CHECKLIST 77, 93."""
        self.fail()
        assert self.fetch().status_code == 404

    def test_while_it_is_updated_it_is_as_before(self):
        """OSB-CHECKLIST 93."""
        self.ready()
        self.patch(plan_id=LARGE)
        answer = self.fetch()
        assert (answer.status_code, answer.json()["plan_id"]) == (200, IDS["plan_id"])

    def test_after_a_failed_update_it_is_as_before(self):
        """OSB-CHECKLIST 95, 106."""
        self.ready()
        ServicePlan.objects.filter(pk=LARGE).update(memory_mb=10**6)
        self.patch(plan_id=LARGE, parameters={"max_connections": 30})
        drain()
        document = self.fetch().json()
        assert document["plan_id"] == IDS["plan_id"]
        assert "parameters" not in document

    def test_while_it_is_deleted_and_afterwards_it_is_404(self):
        """OSB-CHECKLIST 94."""
        self.ready()
        self.delete()
        assert self.fetch().status_code == 404
        drain()
        assert self.fetch().status_code == 404

    def test_its_version_is_its_own_and_not_the_catalogs(self):
        """OSB-CHECKLIST 92."""
        ServicePlan.objects.update(maintenance_version="1.0.0")
        self.ready()
        ServicePlan.objects.update(maintenance_version="2.0.0")
        assert self.fetch().json()["maintenance_info"] == {"version": "1.0.0"}

    def test_its_parameters_are_those_that_were_given(self):
        """OSB-CHECKLIST 92."""
        self.put(parameters={"max_connections": 30})
        drain()
        assert self.fetch().json()["parameters"] == {"max_connections": 30}


class UpdateDutyTest(InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ready()

    def test_accepts_incomplete_is_true_or_false(self):
        """OSB-CHECKLIST 96, 21.4."""
        for text in ("True", "1", ""):
            path = f"{INSTANCE}?accepts_incomplete={text}"
            answer = self.call("PATCH", path, {"service_id": OFFERING_ID})
            assert answer.status_code == 400

    def test_a_plan_of_another_offering_is_400(self):
        """OSB-CHECKLIST 97, 98."""
        assert self.patch(plan_id="unknown").status_code == 400
        assert self.patch(service_id="unknown").status_code == 400

    def test_previous_values_are_not_believed(self):
        """F83: OSB-CHECKLIST 101."""
        lies = {"plan_id": "another", "service_id": None, "organization_id": 1}
        answer = self.patch(plan_id=IDS["plan_id"], previous_values=lies)
        assert answer.status_code == 200
        assert self.fetch().json()["plan_id"] == IDS["plan_id"]

    def test_what_is_left_out_stays(self):
        """OSB-CHECKLIST 98, 99."""
        self.patch(is_async=False, parameters={"max_connections": 30})
        self.patch(is_async=False, plan_id=LARGE)
        document = self.fetch().json()
        assert document["plan_id"] == LARGE
        assert document["parameters"] == {"max_connections": 30}
        self.patch(is_async=False, parameters={})
        assert self.fetch().json() == document

    def test_a_wrong_one_changes_nothing_of_it(self):
        """OSB-CHECKLIST 106: nor the names that come along."""
        before = list(ServiceInstance.objects.values())
        context = {"instance_name": "new"}
        for fields in (
            {"plan_id": "unknown"},
            {"parameters": {"colour": 1}, "plan_id": LARGE},
            {"maintenance_info": {"version": "9.9.9"}},
        ):
            assert self.patch(context=context, **fields).status_code in (400, 422)
        assert list(ServiceInstance.objects.values()) == before
        assert not Operation.objects.filter(kind="update").exists()

    def test_one_that_breaks_off_changes_nothing_of_it(self):
        """OSB-CHECKLIST 7, 106: all or nothing, with a 5xx too."""
        self.world.engine.is_down = True
        self.enterContext(mock.patch.object(succession, "SETTLE_LIMIT_S", 0.1))
        wish = {"plan_id": LARGE, "parameters": {"max_connections": 30}}
        assert self.patch(is_async=False, **wish).status_code >= 500
        self.world.engine.is_down = False
        drain()
        document = self.fetch().json()
        assert document["plan_id"] == IDS["plan_id"] and "parameters" not in document
        container = self.world.container_of(ServiceInstance.objects.get())
        assert container.spec.memory_mb == self.plan.memory_mb
        assert "max_connections" not in str(self.world.engine.parameters)

    def test_an_update_after_a_failed_one_is_done(self):
        """OSB-CHECKLIST 108."""
        ServicePlan.objects.filter(pk=LARGE).update(memory_mb=10**6)
        self.patch(plan_id=LARGE)
        drain()
        assert self.poll().json()["update_repeatable"] is True
        ServicePlan.objects.filter(pk=LARGE).update(memory_mb=512)
        assert self.patch(plan_id=LARGE).status_code == 202
        drain()
        assert self.fetch().json()["plan_id"] == LARGE

    def test_one_in_progress_is_422_without_accepts_incomplete(self):
        """OSB-CHECKLIST 105, 143."""
        self.patch(plan_id=LARGE)
        answer = self.patch(is_async=False, plan_id=LARGE)
        assert answer.status_code == 422
        assert answer.json()["error"] == "ConcurrencyError"

    def test_bind_and_delete_name_the_plan_of_today(self):
        """OSB-CHECKLIST 110, 135."""
        self.patch(is_async=False, plan_id=LARGE)
        assert self.bind(plan_id=LARGE).status_code == 201
        assert self.delete(**{**IDS, "plan_id": LARGE}).status_code == 202


class DeprovisionDutyTest(InstanceTestCase):
    def test_nothing_of_it_is_left(self):
        """OSB-CHECKLIST 136."""
        self.ready()
        self.bind()
        self.delete()
        drain()
        check_invariants(self.world)
        assert not PortLease.objects.filter(container__isnull=False).exists()
        assert not ServiceInstance.objects.filter(live_key__isnull=False).exists()

    def test_it_goes_on_where_it_broke_off(self):
        """OSB-CHECKLIST 141, 142."""
        self.ready()
        self.world.machine.is_down = True
        for _ in range(3):
            assert self.delete(is_async=False).status_code in (422, 500, 503)
        self.world.machine.is_down = False
        drain()
        assert self.poll().json()["state"] == "succeeded"
        assert self.world.containers() == []

    def test_it_overtakes_a_provision_that_runs(self):
        """OSB-CHECKLIST 139: what comes too late is taken away again."""
        self.put()
        with mock.patch.object(hosts, "connect", side_effect=self.deleted_meanwhile()):
            drain()
        drain()
        check_invariants(self.world)
        assert self.world.containers() == []
        assert self.delete().status_code == 410

    def deleted_meanwhile(self) -> Any:
        """A way to the host on which the platform's DELETE comes in between."""
        connect, done = hosts.connect, []

        def find(host: Any) -> Any:
            if not done:
                done.append(self.delete())
            return connect(host)

        return find

    def test_a_platform_that_missed_a_plan_change_can_delete(self):
        """OSB-CHECKLIST 134, 142: whose update had no answer names the old plan."""
        self.ready()
        self.bind()
        self.patch(plan_id=LARGE)
        drain()
        assert self.unbind().status_code == 200
        assert self.delete().status_code == 202

    def test_an_orphan_of_a_refused_provision_is_410(self):
        """OSB-CHECKLIST 138, 156."""
        assert self.call("PUT", self.path("i-1", True), {**BODY, "plan_id": "x"})
        assert self.delete().status_code == 410
