import json

from django.conf import settings

from instances.models import ServiceOffering, ServicePlan
from instances.operations.catalog_files import load_catalog
from tests.fakes import OFFERING_ID, PLAN_ID, make_plan
from tests.osbapi.base import PlatformTestCase


class CatalogTest(PlatformTestCase):
    def catalog(self) -> list[dict]:
        answer = self.get("/v2/catalog")
        assert answer.status_code == 200
        assert list(answer.json()) == ["services"]
        return answer.json()["services"]

    def test_an_offering_has_what_the_specification_requires(self):
        """OSB-CHECKLIST 42-46."""
        offering = self.catalog()[0]
        assert offering["id"] == OFFERING_ID
        assert offering["bindable"] is True
        assert offering["name"] and offering["description"] and offering["plans"]

    def test_a_plan_has_what_the_specification_requires(self):
        """OSB-CHECKLIST 53, 54, 57."""
        plan = self.catalog()[0]["plans"][0]
        assert plan["id"] == PLAN_ID and plan["name"] and plan["description"]
        assert plan["free"] is True
        assert type(plan["maximum_polling_duration"]) is int

    def test_what_is_empty_is_left_out(self):
        """OSB-CHECKLIST 41: Cloud Controller refuses null."""
        offering = self.catalog()[0]
        assert "tags" not in offering and "metadata" not in offering["plans"][0]

    def test_what_was_edited_is_served(self):
        ServiceOffering.objects.update(tags=["mysql"], metadata={"displayName": "X"})
        ServicePlan.objects.update(free=False)
        offering = self.catalog()[0]
        assert offering["tags"] == ["mysql"]
        assert offering["metadata"] == {"displayName": "X"}
        assert offering["plans"][0]["free"] is False

    def test_nothing_of_the_inside_is_shown(self):
        text = json.dumps(self.catalog())
        assert "image" not in text and "memory_mb" not in text

    def test_a_withdrawn_plan_is_not_offered(self):
        make_plan("plan-2")
        ServicePlan.objects.filter(pk=PLAN_ID).update(active=False)
        assert [plan["id"] for plan in self.catalog()[0]["plans"]] == ["plan-2"]

    def test_an_offering_without_plans_is_not_offered(self):
        """OSB-CHECKLIST 46: Cloud Controller would refuse the whole catalog."""
        ServicePlan.objects.update(active=False)
        assert self.catalog() == []

    def test_a_withdrawn_offering_is_not_offered(self):
        ServiceOffering.objects.update(active=False)
        assert self.catalog() == []

    def test_what_is_declared_is_there(self):
        """OSB-CHECKLIST 48-50: each flag obliges to an endpoint."""
        instance = "/v2/service_instances/i-1"
        for flag, method, path in (
            ("instances_retrievable", "GET", instance),
            ("bindings_retrievable", "GET", f"{instance}/service_bindings/b-1"),
            ("allow_context_updates", "PATCH", instance),
            ("plan_updateable", "PATCH", instance),
        ):
            if self.catalog()[0].get(flag):
                assert self.call(method, path).status_code in (400, 404)

    def test_the_products_own_catalog_passes_cloud_controllers_checks(self):
        """CLOUD-CONTROLLER §2."""
        ServicePlan.objects.all().delete()
        ServiceOffering.objects.all().delete()
        load_catalog(settings.BASE_DIR / "catalog.yml")
        offerings = self.catalog()
        plans = [plan for offering in offerings for plan in offering["plans"]]
        assert len({plan["id"] for plan in plans}) == len(plans)
        for entry in offerings + plans:
            assert 0 < len(entry["description"]) <= 255
            assert entry["name"].replace("-", "").replace(".", "").isalnum()
        for plan in plans:
            for cost in plan.get("metadata", {}).get("costs", []):
                assert cost["unit"] and cost["amount"]
                assert all(type(n) in (int, float) for n in cost["amount"].values())
