"""PATCH of an instance: plan, parameters, names; all of it or nothing."""

from typing import Any

from instances import errors
from instances.models import Operation, ServiceInstance, ServicePlan
from tests.fakes import AFTER, OFFERING_ID, drain, make_plan
from tests.osbapi.base import BODY, IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1"


class UpdateTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        assert self.call("PUT", f"{INSTANCE}?accepts_incomplete=true", BODY)
        drain()
        self.large = make_plan("plan-large", memory_mb=512)

    def patch(self, *, is_async: bool = True, **fields: object):
        suffix = "?accepts_incomplete=true" if is_async else ""
        body = {"service_id": OFFERING_ID, **fields}
        return self.call("PATCH", f"{INSTANCE}{suffix}", body)

    def instance(self) -> ServiceInstance:
        return ServiceInstance.objects.get(guid="i-1")


class NothingToDoTest(UpdateTestCase):
    """OSB-CHECKLIST 98, 99, 103."""

    def test_what_cloud_controller_always_sends_changes_nothing(self):
        answer = self.patch(
            plan_id=IDS["plan_id"],
            parameters={},
            previous_values={"maintenance_info": None, "plan_id": IDS["plan_id"]},
        )
        assert answer.status_code == 200
        assert Operation.objects.filter(kind="update").count() == 0

    def test_a_rename_is_200_and_kept(self):
        """OSB-CHECKLIST 100."""
        answer = self.patch(context={"instance_name": "new name"})
        assert answer.status_code == 200
        assert self.instance().instance_name == "new name"

    def test_metadata_is_said_again(self):
        """CLOUD-CONTROLLER 8: what an update leaves out is erased."""
        said = {"attributes": {"engine": "mariadb"}}
        assert self.patch().json()["metadata"] == said
        begun = self.patch(parameters={"max_connections": 30})
        assert (begun.status_code, begun.json()["metadata"]) == (202, said)


class PlanTest(UpdateTestCase):
    """OSB-CHECKLIST 98, 104, 106."""

    def test_a_larger_plan_is_202_and_then_in_force(self):
        answer = self.patch(plan_id="plan-large", parameters={})
        assert answer.status_code == 202 and answer.json()["operation"]
        assert self.call("GET", f"{INSTANCE}/last_operation").json()["state"] == (
            "in progress"
        )
        drain()
        assert self.instance().plan == self.large
        assert self.world.container_of(self.instance()).spec.memory_mb == 512
        assert self.call("GET", INSTANCE).json()["plan_id"] == "plan-large"

    def test_without_accepts_incomplete_it_is_200_when_it_is_done(self):
        assert self.patch(is_async=False, plan_id="plan-large").status_code == 200
        assert self.instance().plan == self.large

    def test_a_repeat_meanwhile_gets_the_same_operation(self):
        """F84."""
        first = self.patch(plan_id="plan-large")
        again = self.patch(plan_id="plan-large")
        assert again.status_code == 202 and again.json() == first.json()

    def test_another_update_meanwhile_is_422(self):
        self.patch(plan_id="plan-large")
        answer = self.patch(plan_id=IDS["plan_id"])
        assert answer.status_code in (200, 422)
        other = make_plan("plan-other")
        answer = self.patch(plan_id=other.pk)
        assert (answer.status_code, answer.json()["error"]) == (422, "ConcurrencyError")

    def test_an_unknown_plan_is_400(self):
        assert self.patch(plan_id="nothing").status_code == 400

    def test_an_offering_that_fixes_plans_is_422_and_not_repeatable(self):
        self.plan.offering.plan_updateable = False
        self.plan.offering.save()
        answer = self.patch(plan_id="plan-large")
        assert answer.status_code == 422
        assert answer.json()["update_repeatable"] is False

    def test_no_room_fails_and_everything_is_as_before(self):
        """OSB-CHECKLIST 81, 106, F81."""
        ServicePlan.objects.filter(pk="plan-large").update(memory_mb=10**6)
        self.patch(plan_id="plan-large")
        drain()
        answer = self.call("GET", f"{INSTANCE}/last_operation").json()
        assert answer["state"] == "failed" and answer["instance_usable"] is True
        assert self.instance().plan == self.plan
        container = self.instance().container
        assert container.memory_mb == self.plan.memory_mb
        assert self.world.container_of(self.instance()).spec.memory_mb == (
            self.plan.memory_mb
        )

    def test_a_host_that_is_down_for_long_fails_and_puts_the_limits_back(self):
        self.world.machine.is_down = True
        self.patch(plan_id="plan-large")
        drain()
        self.world.machine.is_down = False
        assert self.instance().container.memory_mb == self.plan.memory_mb
        assert self.patch(plan_id="plan-large").status_code == 202
        drain()
        assert self.instance().plan == self.large


class RefusalTest(UpdateTestCase):
    def test_an_unknown_instance_is_404(self):
        path = "/v2/service_instances/unknown?accepts_incomplete=true"
        body = {"service_id": OFFERING_ID}
        assert self.call("PATCH", path, body).status_code == 404

    def test_another_offering_is_400(self):
        body = {"service_id": "other"}
        assert self.call("PATCH", INSTANCE, body).status_code == 400

    def test_without_service_id_it_is_400_naming_the_field(self):
        answer = self.call("PATCH", INSTANCE, {})
        assert answer.status_code == 400
        assert "service_id" in answer.json()["description"]

    def test_another_maintenance_version_is_422(self):
        """OSB-CHECKLIST 102."""
        answer = self.patch(maintenance_info={"version": "9.9.9"})
        assert answer.json()["error"] == "MaintenanceInfoConflict"

    def test_while_provisioning_it_is_422(self):
        """OSB-CHECKLIST 107."""
        path = "/v2/service_instances/i-2?accepts_incomplete=true"
        self.call("PUT", path, BODY)
        answer = self.call("PATCH", path, {"service_id": OFFERING_ID})
        assert answer.json()["error"] == "ConcurrencyError"

    def test_a_delete_overtakes_it(self):
        """F103: what runs is cancelled."""
        self.patch(plan_id="plan-large")
        query = "&".join(f"{name}={value}" for name, value in IDS.items())
        answer = self.call("DELETE", f"{INSTANCE}?{query}&accepts_incomplete=true")
        assert answer.status_code == 202
        drain()
        assert not self.world.containers()


class UpgradeTest(UpdateTestCase):
    """What cf upgrade-service sends, after the operator has changed the image."""

    IMAGE = "brokersite/mariadb:10.12"

    def setUp(self) -> None:
        super().setUp()
        ServicePlan.objects.filter(pk=IDS["plan_id"]).update(
            maintenance_version="2.0.0", image=self.IMAGE
        )
        self.world.machine.images.add(self.IMAGE)

    def upgrade(self, **options: Any):
        return self.patch(maintenance_info={"version": "2.0.0"}, **options)

    def test_the_catalog_s_version_is_upgraded_to(self):
        """OSB-CHECKLIST 62, 102."""
        path = f"{INSTANCE}/service_bindings/b-1"
        before = self.call("PUT", path, IDS).json()["credentials"]
        assert self.upgrade().status_code == 202
        drain()
        answer = self.call("GET", f"{INSTANCE}/last_operation").json()
        assert answer["state"] == "succeeded"
        assert self.call("GET", INSTANCE).json()["maintenance_info"] == {
            "version": "2.0.0"
        }
        assert self.world.container_of(self.instance()).spec.image == self.IMAGE
        assert self.call("GET", path).json()["credentials"] == before

    def test_until_it_is_asked_for_nothing_is_upgraded(self):
        """OSB-CHECKLIST 102: the instance says what it has, not what its plan has."""
        assert self.patch(context={"instance_name": "new"}).status_code == 200
        assert "maintenance_info" not in self.call("GET", INSTANCE).json()

    def test_it_takes_a_platform_that_polls(self):
        """OSB-CHECKLIST 36, 105: copying the data takes longer than a request may."""
        answer = self.upgrade(is_async=False)
        assert (answer.status_code, answer.json()["error"]) == (422, "AsyncRequired")

    def test_a_repeat_meanwhile_gets_the_same_operation(self):
        first, again = self.upgrade(), self.upgrade()
        assert again.status_code == 202 and again.json() == first.json()

    def test_one_that_fails_leaves_the_instance_usable_and_is_said_so(self):
        """OSB-CHECKLIST 81, 106."""
        self.world.machine.failing_images[self.IMAGE] = 1
        self.upgrade()
        drain()
        answer = self.call("GET", f"{INSTANCE}/last_operation").json()
        assert answer["state"] == "failed" and answer["instance_usable"] is True
        assert "maintenance_info" not in self.call("GET", INSTANCE).json()
        assert self.upgrade().status_code == 202


class ParametersTest(UpdateTestCase):
    """OSB-CHECKLIST 72, 99."""

    def test_every_wrong_parameter_is_named(self):
        answer = self.patch(parameters={"max_connections": "many", "colour": 1})
        assert answer.status_code == 400
        said = answer.json()["description"]
        assert "max_connections" in said and "colour" in said

    def test_those_that_fail_half_way_are_taken_back(self):
        """OSB-CHECKLIST 106: even what had no value before."""
        self.faults.on("update_database", errors.ContainerFailed(), moment=AFTER)
        wish = {"plan_id": "plan-large", "parameters": {"max_connections": 30}}
        assert self.patch(is_async=False, **wish).status_code >= 500
        assert self.world.engine.parameters == {self.instance().database: {}}
        assert "parameters" not in self.call("GET", INSTANCE).json()

    def test_a_subset_is_merged(self):
        assert self.patch(parameters={"max_connections": 30}).status_code == 202
        drain()
        self.patch(parameters={"sql_mode": ["ANSI_QUOTES"]})
        drain()
        kept = self.call("GET", INSTANCE).json()["parameters"]
        assert kept == {"max_connections": 30, "sql_mode": ["ANSI_QUOTES"]}
