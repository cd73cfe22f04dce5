"""Exports: what the list shows, for spreadsheets and programs."""

import csv
import io
import json

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from instances.admin.html import list_url
from instances.models import AuditEvent, Container, ServiceInstance
from tests.instances.admin import rows
from tests.instances.admin.rows import CANARIES, ConsoleTestCase


class ExportTestCase(ConsoleTestCase):
    def export(self, form, query=""):
        url = reverse("admin:instances_serviceinstance_export", args=[form])
        response = self.client.post(f"{url}{query}")
        assert response.status_code == 200
        return b"".join(response.streaming_content).decode()

    def table(self, query=""):
        return list(csv.DictReader(io.StringIO(self.export("csv", query))))


class Export(ExportTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-1")
        rows.make_instance("instance-2", instance_name="=cmd|'/c calc'!A1")

    def test_csv_has_a_line_for_each(self):
        found = {row["guid"]: row for row in self.table()}
        assert set(found) == {"instance-1", "instance-2"}
        row = found["instance-1"]
        assert (row["state"], row["plan"], row["engine"]) == (
            "ready",
            "free",
            "mariadb",
        )
        assert row["port"] == str(self.instance.container.port)
        assert row["bindings"] == "1"

    def test_no_cell_is_a_formula(self):
        """S53."""
        for number, name in enumerate(("+1", "-1", "@x", "\tx", "=1")):
            rows.make_instance(f"f-{number}", instance_name=name)
        for row in self.table():
            assert not any(text.startswith(tuple("=+-@\t\r")) for text in row.values())

    def test_json_is_the_same_without_quoting(self):
        found = json.loads(self.export("json"))
        assert {row["name"] for row in found} == {
            "name of instance-1",
            "=cmd|'/c calc'!A1",
        }

    def test_what_is_searched_and_filtered_for(self):
        assert [row["guid"] for row in self.table("?q=instance-1")] == ["instance-1"]
        Container.objects.filter(instance=self.instance).update(disk_state="warning")
        assert [row["guid"] for row in self.table("?held=near")] == ["instance-1"]
        assert json.loads(self.export("json", "?q=nothing-of-the-kind")) == []

    def test_holds_no_secret_and_is_audited(self):
        text = self.export("csv", "?q=instance") + self.export("json")
        assert not any(canary in text for canary in CANARIES)
        event = AuditEvent.objects.get(action="export as csv")
        assert event.changes == {"filters": {"q": ["instance"]}}
        assert event.actor_name == "olga"

    def test_get_exports_nothing(self):
        url = reverse("admin:instances_serviceinstance_export", args=["csv"])
        assert self.client.get(url).status_code == 405
        other = reverse("admin:instances_serviceinstance_export", args=["xml"])
        assert self.client.post(other).status_code == 404

    def test_asks_no_more_for_many(self):
        def count():
            with CaptureQueriesContext(connection) as queries:
                self.table()
            return len(queries)

        few = count()
        for number in range(20):
            rows.make_instance(f"more-{number}")
        assert count() == few


class Filters(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        rows.make_instance("guid-wanted", organization_guid="o-1")
        ServiceInstance.objects.update(
            context={"organization_name": "the-org", "space_name": "the-space"}
        )
        rows.make_instance("guid-other")

    def found(self, **query):
        text = self.text_of(list_url(ServiceInstance), **query)
        return "guid-wanted" in text, "guid-other" in text

    def test_names_of_organization_and_space_are_found(self):
        assert self.found(q="the-org") == (True, False)
        assert self.found(q="the-space") == (True, False)

    def test_by_engine_and_age(self):
        assert self.found(engine="mariadb") == (True, True)
        assert self.found(engine="redis") == (False, False)
        assert self.found(older="week") == (False, False)
        ServiceInstance.objects.filter(guid="guid-wanted").update(
            created_at="2020-01-01T00:00:00Z"
        )
        assert self.found(older="week") == (True, False)
