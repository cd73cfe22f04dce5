"""Duties of the catalog that no other test is about."""

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from instances.engines import ENGINES
from instances.models import ServiceOffering, ServicePlan, catalog_rules
from instances.operations.catalog_files import load_catalog
from tests.fakes import make_plan
from tests.osbapi.base import PlatformTestCase


class CatalogTestCase(PlatformTestCase):
    def offering(self) -> dict[str, Any]:
        answer = self.get("/v2/catalog")
        assert answer.status_code == 200
        return answer.json()["services"][0]

    def plan_entry(self) -> dict[str, Any]:
        return self.offering()["plans"][0]


class DocumentTest(CatalogTestCase):
    def test_an_empty_catalog_is_200_with_an_empty_list(self):
        """OSB-CHECKLIST 38."""
        ServiceOffering.objects.update(active=False)
        answer = self.get("/v2/catalog")
        assert (answer.status_code, answer.json()) == (200, {"services": []})

    def test_ids_stay_whatever_else_is_edited(self):
        """OSB-CHECKLIST 39."""
        before = self.offering()
        ServiceOffering.objects.update(name="renamed", description="other", tags=["x"])
        ServicePlan.objects.update(name="renamed", description="other", free=False)
        after = self.offering()
        assert (after["id"], after["name"]) == (before["id"], "renamed")
        assert [p["id"] for p in after["plans"]] == [p["id"] for p in before["plans"]]

    def test_every_value_has_its_type(self):
        """OSB-CHECKLIST 45, 47, 48, 49, 50, 54, 56, 57."""
        ServiceOffering.objects.update(tags=["mysql"])
        offering, plan = self.offering(), self.plan_entry()
        for name in (
            *("bindable", "plan_updateable", "instances_retrievable"),
            *("bindings_retrievable", "allow_context_updates"),
        ):
            assert type(offering[name]) is bool, name
        assert offering["tags"] == ["mysql"]
        assert type(plan["free"]) is type(plan["binding_rotatable"]) is bool
        assert type(plan["maximum_polling_duration"]) is int

    def test_nothing_is_required_of_the_platform(self):
        """OSB-CHECKLIST 47, 52: no syslog, routes, volumes, single sign-on."""
        assert not {"requires", "dashboard_client"} & set(self.offering())

    def test_rotation_is_a_matter_of_plans(self):
        """OSB-CHECKLIST 56."""
        assert "binding_rotatable" not in self.offering()
        assert self.plan_entry()["binding_rotatable"] is True

    def test_whether_plans_can_be_changed_is_said_in_the_odd_spelling(self):
        """OSB-CHECKLIST 50."""
        for allowed in (True, False):
            ServiceOffering.objects.update(plan_updateable=allowed)
            assert self.offering()["plan_updateable"] is allowed

    def test_costs_are_numbers(self):
        """OSB-CHECKLIST 58."""
        costs = [{"amount": {"usd": 9.5}, "unit": "MONTHLY"}]
        ServicePlan.objects.update(metadata={"bullets": ["one"], "costs": costs})
        assert self.plan_entry()["metadata"] == {"bullets": ["one"], "costs": costs}

    def test_costs_in_quotes_are_refused_by_the_console(self):
        """OSB-CHECKLIST 58."""
        self.plan.metadata = {"costs": [{"amount": {"usd": "9.5"}, "unit": "MONTHLY"}]}
        with self.assertRaises(ValidationError):
            self.plan.full_clean()


class NameTest(CatalogTestCase):
    def test_no_two_offerings_or_plans_share_a_name(self):
        """OSB-CHECKLIST 42, 53."""
        twin = ServiceOffering(id="o-2", name="mysql-docker", description="x")
        with self.assertRaises(IntegrityError), transaction.atomic():
            twin.save(force_insert=True)
        with self.assertRaises(IntegrityError), transaction.atomic():
            make_plan("plan-2", name=self.plan.name)

    def test_empty_texts_are_refused(self):
        """OSB-CHECKLIST 5, 42, 43, 44, 53."""
        for row in (self.plan, self.plan.offering):
            for field in ("id", "name", "description"):
                good = getattr(row, field)
                setattr(row, field, "")
                with self.subTest(field), self.assertRaises(ValidationError):
                    row.full_clean()
                setattr(row, field, good)

    def test_more_than_255_characters_are_refused(self):
        """OSB-CHECKLIST 31."""
        for row in (self.plan, self.plan.offering):
            row.description = "x" * 256
            with self.assertRaises(ValidationError):
                row.full_clean()

    def test_the_products_own_ids_are_guids_and_its_names_short(self):
        """OSB-CHECKLIST 42, 43, 53."""
        ServicePlan.objects.all().delete()
        ServiceOffering.objects.all().delete()
        load_catalog(settings.BASE_DIR / "catalog.yml")
        for entry in (self.offering(), *self.offering()["plans"]):
            assert str(UUID(entry["id"])) == entry["id"]
            assert entry["name"].replace("-", "").replace(".", "").isalnum()


class SchemaTest(CatalogTestCase):
    def schemas(self) -> dict[str, Any]:
        found = self.plan_entry()["schemas"]
        return {
            f"{resource}.{verb}": entry["parameters"]
            for resource, verbs in found.items()
            for verb, entry in verbs.items()
        }

    def test_there_is_one_at_each_place(self):
        """OSB-CHECKLIST 59."""
        assert set(self.schemas()) == {
            *("service_instance.create", "service_instance.update"),
            "service_binding.create",
        }

    def test_bindings_have_one_only_where_there_are_bindings(self):
        """OSB-CHECKLIST 59."""
        ServiceOffering.objects.update(bindable=False)
        assert set(self.plan_entry()["schemas"]) == {"service_instance"}

    def test_every_platform_can_read_each(self):
        """OSB-CHECKLIST 31, 60: draft-04 by its meta-schema, small, complete."""
        for engine in ENGINES:
            ServiceOffering.objects.update(engine=engine)
            for where, schema in self.schemas().items():
                with self.subTest(f"{engine} {where}"):
                    assert "draft-04" in schema["$schema"]
                    text = json.dumps(schema)
                    assert len(text) <= 64 * 1024
                    assert '"$ref"' not in text
                    assert list(catalog_rules.schema(schema)) == []

    def test_what_a_schema_refuses_is_400(self):
        """OSB-CHECKLIST 66, 72, 99, 112."""
        self.ready()
        wrong = {"max_connections": "many"}
        assert self.put("i-2", parameters=wrong).status_code == 400
        body = {"service_id": "offering-1", "parameters": wrong}
        assert self.call("PATCH", self.path("i-1", True), body).status_code == 400
        assert self.bind(parameters={"read_only": "yes"}).status_code == 400


class MaintenanceInfoTest(CatalogTestCase):
    def test_a_version_is_served_with_its_description(self):
        """OSB-CHECKLIST 61."""
        assert "maintenance_info" not in self.plan_entry()
        ServicePlan.objects.update(
            maintenance_version="1.2.3+build", maintenance_description="A restart."
        )
        expected = {"version": "1.2.3+build", "description": "A restart."}
        assert self.plan_entry()["maintenance_info"] == expected

    def test_only_semantic_versions_are_taken(self):
        """OSB-CHECKLIST 61."""
        for version in ("1.2", "v1.2.3", "1.2.3.4", "01.2.3", "latest"):
            self.plan.maintenance_version = version
            with self.subTest(version), self.assertRaises(ValidationError):
                self.plan.full_clean()
