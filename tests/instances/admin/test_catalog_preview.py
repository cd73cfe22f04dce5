"""The preview: what platforms get, and what they would refuse it for."""

import html
import json
from types import SimpleNamespace
from unittest.mock import patch

from django.db import connection
from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import ServiceOffering, ServicePlan
from instances.operations.catalog import catalog_document, complaints
from tests.instances.admin.test_catalog import PREVIEW, delete_url
from tests.instances.admin.test_catalog_forms import FormTestCase
from tests.instances.admin.test_pages import INLINE


class Preview(FormTestCase):
    def text(self):
        return html.unescape(self.text_of(PREVIEW))

    def test_shows_what_platforms_get(self):
        shown = self.text().split('tabindex="0">')[1].split("</pre>")[0]
        assert json.loads(shown) == catalog_document()

    def test_is_linked_from_every_page_of_the_catalog(self):
        for row in (self.plan, self.offering):
            for url in (list_url(type(row)), change_url(row)):
                assert f'href="{PREVIEW}"' in self.text_of(url), url

    def test_a_good_catalog_has_no_complaints(self):
        assert complaints() == []
        assert "badge-good" in self.text()

    def test_complaints_lead_to_the_row(self):
        ServicePlan.objects.update(maintenance_version="1", metadata={"costs": [1]})
        ServiceOffering.objects.update(tags="mysql")
        text = self.text()
        assert "badge-bad" in text and "Semantic Version" in text
        assert "costs: Entry 1" in text and "list of texts" in text
        assert text.count(f'href="{change_url(self.plan)}"') == 2

    def test_an_engine_that_is_not_there_is_complained_about(self):
        ServiceOffering.objects.update(engine="oracle")
        assert "'oracle' is not one of" in self.text()

    def test_an_empty_catalog_is_complained_about(self):
        ServicePlan.objects.update(active=False)
        text = self.text()
        assert "At least one active offering" in text
        assert "has no active plan" in text

    def test_rows_that_are_not_offered_are_not_complained_about(self):
        ServicePlan.objects.create(
            id="p-2", name="x", offering=self.offering, image="", active=False
        )
        assert complaints() == []

    def test_hostile_text_is_escaped(self):
        payload = "</pre><script>alert(1)</script>{{ 7|add:7 }}"
        # Only SQLite takes half of a character.
        half = "\ud800" if connection.vendor == "sqlite" else "half"
        ServiceOffering.objects.update(description=payload, metadata={"a": half})
        response = self.client.get(PREVIEW)
        text = response.content.decode()
        assert "<script>alert" not in text and "{{ 7|add:7 }}" in text
        assert "unsafe" not in response["Content-Security-Policy"]

    def test_nothing_is_inline(self):
        for url in (
            PREVIEW,
            reverse("admin:instances_serviceoffering_add"),
            reverse("admin:instances_serviceplan_add"),
            change_url(self.plan),
            delete_url(self.plan),
        ):
            text = self.text_of(url)
            assert not INLINE.search(text), (url, INLINE.search(text))


class Document(FormTestCase):
    def test_flags_of_the_offering(self):
        (offering,) = catalog_document()["services"]
        for flag in (
            "plan_updateable",
            "instances_retrievable",
            "bindings_retrievable",
            "allow_context_updates",
        ):
            assert offering[flag] is True, flag
        ServiceOffering.objects.update(plan_updateable=False)
        assert catalog_document()["services"][0]["plan_updateable"] is False

    def test_maintenance_info_is_there_with_a_version(self):
        def plan():
            return catalog_document()["services"][0]["plans"][0]

        assert "maintenance_info" not in plan()
        ServicePlan.objects.update(maintenance_version="1.0.0")
        assert plan()["maintenance_info"] == {"version": "1.0.0"}
        ServicePlan.objects.update(maintenance_description="New image")
        assert plan()["maintenance_info"] == {
            "version": "1.0.0",
            "description": "New image",
        }

    def test_nothing_is_null(self):
        assert "null" not in json.dumps(catalog_document())


class Schemas(FormTestCase):
    DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}

    def engine(self, **schemas):
        engine = SimpleNamespace(name="mariadb", **schemas)
        engines = patch.dict(
            "instances.operations.catalog.ENGINES", {"mariadb": engine}
        )
        self.enterContext(engines)

    def schemas(self):
        return catalog_document()["services"][0]["plans"][0].get("schemas")

    def test_come_from_the_engine(self):
        create, update, bind = ({**self.DRAFT_4, "title": t} for t in "abc")
        self.engine(create_schema=create, update_schema=update, bind_schema=bind)
        assert self.schemas() == {
            "service_instance": {
                "create": {"parameters": create},
                "update": {"parameters": update},
            },
            "service_binding": {"create": {"parameters": bind}},
        }
        ServiceOffering.objects.update(bindable=False)
        assert set(self.schemas()) == {"service_instance"}

    def test_are_left_out_without(self):
        self.engine()
        assert self.schemas() is None
        assert complaints() == []

    def test_that_cloud_controller_cannot_compile_are_complained_about(self):
        self.engine(create_schema={"type": "object"})
        (complaint,) = complaints()
        assert "create_schema" in complaint.field and "draft-04" in complaint.text
