from unittest import mock

from django.db import OperationalError

from instances.models import (
    DockerHost,
    Operation,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from tests.fakes import drain, make_plan
from tests.osbapi.base import PlatformTestCase

PROVISIONED = {"metadata": {"attributes": {"engine": "mariadb"}}}


class ProvisionTest(PlatformTestCase):
    """OSB-CHECKLIST 63-78."""

    def error(self, answer: object, status: int) -> str:
        assert answer.status_code == status, answer.json()
        return f"{answer.json()['error']}: {answer.json()['description']}"

    def test_accepted_is_202_with_an_operation(self):
        answer = self.put()
        assert answer.status_code == 202
        assert 0 < len(answer.json()["operation"]) <= 10_000

    def test_which_cloud_controller_has_asked_is_kept(self):
        """So that no other one is asked whether it knows it (F20)."""
        for number, (said, host) in enumerate(
            (
                ("api.Example.com/v2/info", "api.example.com"),
                ("https://api.example.com/", "api.example.com"),
                ("", ""),
                ("<b>", ""),
                ("x" * 300, "x" * 255),
            )
        ):
            headers = {"X-Api-Info-Location": said}
            path, guid = self.path(f"i-{number}", True), f"i-{number}"
            assert (
                self.call("PUT", path, self.body(), headers=headers).status_code == 202
            )
            assert ServiceInstance.objects.get(guid=guid).api_host == host

    def test_it_is_committed_before_the_answer(self):
        """OSB-CHECKLIST 87: Cloud Controller polls within milliseconds (F15)."""
        operation = self.put().json()["operation"]
        assert self.poll(operation=operation).json()["state"] == "in progress"

    def test_nothing_is_done_inside_the_request(self):
        """OSB-CHECKLIST 9."""
        self.put()
        assert self.faults.calls == []

    def test_without_accepts_incomplete_it_is_201_when_it_is_ready(self):
        """OSB-CHECKLIST 68, 145."""
        answer = self.put(is_async=False)
        assert (answer.status_code, answer.json()) == (201, PROVISIONED)
        assert ServiceInstance.objects.get().state == "ready"

    def test_accepts_incomplete_false_means_the_same(self):
        """OSB-CHECKLIST 63."""
        path = self.path("i-1", False) + "accepts_incomplete=false"
        assert self.call("PUT", path, self.body()).status_code == 201

    def body(self) -> dict[str, str]:
        return {
            "service_id": "offering-1",
            "plan_id": "plan-1",
            "organization_guid": "o-1",
            "space_guid": "s-1",
        }

    def test_accepts_incomplete_is_true_or_false(self):
        """OSB-CHECKLIST 63, 21.4."""
        for text in ("True", "1", "", "yes"):
            path = self.path("i-1", False) + f"accepts_incomplete={text}"
            answer = self.call("PUT", path, self.body())
            assert "accepts_incomplete" in self.error(answer, 400)

    def test_a_repeat_in_progress_is_202_with_the_same_operation(self):
        """OSB-CHECKLIST 69 (F8)."""
        first, second = self.put(), self.put()
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()
        assert Operation.objects.count() == 1

    def test_a_repeat_after_success_is_200(self):
        """OSB-CHECKLIST 70 (F9)."""
        self.ready()
        for is_async in (True, False):
            answer = self.put(is_async=is_async)
            assert (answer.status_code, answer.json()) == (200, PROVISIONED)

    def test_a_repeat_does_not_compare_names_in_the_context(self):
        """OSB-CHECKLIST 70."""
        self.put(context={"platform": "cloudfoundry", "instance_name": "old"})
        assert self.put(context={"instance_name": "new"}).status_code == 202

    def test_a_repeat_without_accepts_incomplete_while_it_runs_is_422(self):
        self.put()
        answer = self.put(is_async=False)
        assert self.error(answer, 422).startswith("ConcurrencyError: ")

    def test_other_attributes_under_the_same_id_are_409(self):
        """OSB-CHECKLIST 71 (F9): in progress and afterwards."""
        make_plan("plan-2")
        self.put()
        for _ in range(2):
            assert self.put(plan_id="plan-2").status_code == 409
            assert self.put(parameters={"a": 1}).status_code == 409
            assert self.put(space_guid="s-2").status_code == 409
            assert self.put(organization_guid="o-2").status_code == 409
            drain()

    def test_an_id_that_has_failed_is_409(self):
        """OSB-CHECKLIST 77 (F10)."""
        self.world.machine.images.clear()
        self.put()
        drain()
        assert "delete" in self.error(self.put(), 409)

    def test_an_id_that_is_being_deleted_is_422(self):
        """OSB-CHECKLIST 76."""
        self.ready()
        self.delete()
        assert self.error(self.put(), 422).startswith("ConcurrencyError: ")

    def test_an_id_that_is_gone_can_be_used_again(self):
        """OSB-CHECKLIST 76."""
        self.ready()
        self.delete(is_async=False)
        assert self.put().status_code == 202

    def test_a_missing_or_empty_id_of_the_catalog_is_400(self):
        """OSB-CHECKLIST 64, 21.4."""
        for name in ("service_id", "plan_id"):
            for value in (None, ""):
                answer = self.put(**{name: value})
                assert name in self.error(answer, 400)

    def test_an_unknown_plan_or_offering_is_400(self):
        """OSB-CHECKLIST 64."""
        assert "plan_id" in self.error(self.put(plan_id="x"), 400)
        assert "service_id" in self.error(self.put(service_id="x"), 400)

    def test_a_plan_of_another_offering_is_400(self):
        """OSB-CHECKLIST 64."""
        offering = ServiceOffering.objects.get()
        offering.pk, offering.name = "offering-2", "other"
        offering.save(force_insert=True)
        assert "service_id" in self.error(self.put(service_id="offering-2"), 400)

    def test_ids_of_the_catalog_are_compared_exactly(self):
        """OSB-CHECKLIST 29."""
        for plan_id in (" plan-1", "plan-1 ", "PLAN-1"):
            assert self.put(plan_id=plan_id).status_code == 400

    def test_a_missing_organization_or_space_is_400(self):
        """OSB-CHECKLIST 65, 21.5."""
        for name in ("organization_guid", "space_guid"):
            answer = self.put(**{name: None})
            assert name in self.error(answer, 400)

    def test_organization_and_space_may_come_in_the_context(self):
        """OSB-CHECKLIST 65, 21.5."""
        context = {"organization_guid": "o-1", "space_guid": "s-1"}
        answer = self.put(organization_guid=None, space_guid=None, context=context)
        assert answer.status_code == 202
        assert ServiceInstance.objects.get().space_guid == "s-1"

    def test_a_platform_without_organizations_is_served(self):
        """OSB-CHECKLIST 65, 152: Kubernetes."""
        context = {"platform": "kubernetes", "namespace": "default"}
        answer = self.put(organization_guid=None, space_guid=None, context=context)
        assert answer.status_code == 202

    def test_parameters_that_the_plan_does_not_take_are_400(self):
        """OSB-CHECKLIST 66, 72 (S5)."""
        assert "LD_PRELOAD" in self.error(self.put(parameters={"LD_PRELOAD": 1}), 400)
        assert not ServiceInstance.objects.exists()

    def test_absent_null_and_empty_parameters_are_one_thing(self):
        """OSB-CHECKLIST 66."""
        self.put()
        for parameters in ({}, "null"):
            body = {**self.body(), "parameters": None if parameters == "null" else {}}
            answer = self.call("PUT", self.path("i-1", True), body)
            assert answer.status_code == 202

    def test_another_version_of_maintenance_info_is_422(self):
        """OSB-CHECKLIST 67: the plan has none, so none matches."""
        answer = self.put(maintenance_info={"version": "9.9.9"})
        assert self.error(answer, 422).startswith("MaintenanceInfoConflict: ")
        assert not ServiceInstance.objects.exists()

    def test_an_empty_maintenance_info_counts_as_absent(self):
        """OSB-CHECKLIST 67, 21.4."""
        assert self.put(maintenance_info={}).status_code == 202

    def test_a_withdrawn_plan_is_400_for_a_new_instance(self):
        self.ready()
        ServicePlan.objects.update(active=False)
        assert self.put().status_code == 200
        assert self.error(self.put("i-2"), 400)

    def test_no_capacity_is_400(self):
        """OSB-CHECKLIST 37: a 422 or 500 would make Cloud Controller delete (F59)."""
        DockerHost.objects.update(memory_mb=1)
        assert self.error(self.put(), 400).startswith("NoCapacity: ")
        assert not ServiceInstance.objects.exists()

    def test_a_synchronous_failure_is_500_with_a_sentence(self):
        self.world.machine.images.clear()
        answer = self.put(is_async=False)
        assert "image is missing" in self.error(answer, 500)
        assert self.delete(is_async=False).status_code == 200

    def test_a_database_that_is_down_is_503(self):
        """F17, F116."""
        down = mock.patch(
            "instances.operations.provision.accept", side_effect=OperationalError
        )
        with down, self.assertLogs("osbapi.errors", "ERROR"):
            assert self.put().status_code == 503

    def test_an_outage_is_one_line_in_the_log(self):
        """Many requests meet it; what is unexpected has its traceback (F116)."""
        outage = OperationalError("database is locked")
        for error, has_traceback in ((outage, False), (OperationalError("?"), True)):
            with (
                self.subTest(error=error),
                mock.patch("instances.operations.provision.accept", side_effect=error),
                self.assertLogs("osbapi.errors", "ERROR") as caught,
            ):
                assert self.put().status_code == 503
            assert bool(caught.records[0].exc_info) is has_traceback

    def test_a_refusal_records_nothing(self):
        """OSB-CHECKLIST 7."""
        self.put(plan_id="x")
        self.put(parameters={"a": 1})
        assert not Operation.objects.exists()
