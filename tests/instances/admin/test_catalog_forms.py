"""Forms of the catalog: what is typed becomes metadata, and nothing gets lost."""

import re
import uuid
from html import unescape

from django.forms import ModelForm
from django.urls import reverse

from instances.admin.catalog_forms import ServiceOfferingForm, ServicePlanForm
from instances.admin.html import change_url
from instances.models import AuditEvent, ServiceOffering, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

ADD_OFFERING = reverse("admin:instances_serviceoffering_add")
ADD_PLAN = reverse("admin:instances_serviceplan_add")


def as_sent(form: ModelForm) -> dict:
    """What a browser sends when nothing has been typed."""
    values = {}
    for field in form:
        value = field.value()
        if value is True:
            values[field.name] = "on"
        elif value is not None and value is not False:
            # A textarea's line ends, as browsers send them.
            values[field.name] = str(value).replace("\n", "\r\n")
    return values


def errors_in(text: str) -> dict[str, str]:
    """{field: first sentence} of a page that was refused."""
    found = {}
    for row in text.split('<div class="form-row')[1:]:
        match = re.search(r'class="errorlist"[^>]*><li>(.*?)</li>', row, re.S)
        if match:
            found[re.search(r"field-(\w+)", row)[1]] = unescape(match[1])
    return found


class FormTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.plan = rows.make_plan()
        self.offering = self.plan.offering
        ServiceOffering.objects.update(description="A database")
        ServicePlan.objects.update(description="Small")

    def form(self, row):
        row.refresh_from_db()
        is_plan = isinstance(row, ServicePlan)
        return (ServicePlanForm if is_plan else ServiceOfferingForm)(instance=row)

    def save(self, row, **changes):
        return self.client.post(change_url(row), {**as_sent(self.form(row)), **changes})

    def saved(self, row, **changes):
        response = self.save(row, **changes)
        assert response.status_code == 302, errors_in(response.content.decode())
        row.refresh_from_db()
        return row

    def refused(self, row, **changes):
        response = self.save(row, **changes)
        assert response.status_code == 200
        return errors_in(response.content.decode())


class Metadata(FormTestCase):
    def test_fields_become_its_keys(self):
        row = self.saved(
            self.offering,
            display_name="MariaDB",
            long_description="One.\r\n\r\nTwo.",
            image_url="https://example.com/l.svg",
            provider_display_name="Team",
            documentation_url="https://example.com/docs",
            support_url="example.com/help",
            shareable="on",
            tags="mysql\r\n\r\n relational \r\n",
        )
        assert row.metadata == {
            "displayName": "MariaDB",
            "longDescription": "One.\n\nTwo.",
            "imageUrl": "https://example.com/l.svg",
            "providerDisplayName": "Team",
            "documentationUrl": "https://example.com/docs",
            "supportUrl": "https://example.com/help",
            "shareable": True,
        }
        assert row.tags == ["mysql", "relational"]

    def test_costs_and_bullets_are_lines(self):
        row = self.saved(
            self.plan,
            bullets="256 MiB\r\n20 connections",
            costs="9.50 usd, 9 eur / MONTHLY\r\n0.05 usd/1 GB of traffic",
        )
        assert row.metadata == {
            "bullets": ["256 MiB", "20 connections"],
            "costs": [
                {"amount": {"usd": 9.5, "eur": 9}, "unit": "MONTHLY"},
                {"amount": {"usd": 0.05}, "unit": "1 GB of traffic"},
            ],
        }
        assert type(row.metadata["costs"][0]["amount"]["eur"]) is int

    def test_costs_may_be_json(self):
        row = self.saved(
            self.plan, costs='[{"amount": {"usd": 1}, "unit": "U", "x": 2}]'
        )
        assert row.metadata["costs"] == [{"amount": {"usd": 1}, "unit": "U", "x": 2}]

    def test_unknown_keys_are_kept_and_can_be_edited(self):
        metadata = {"displayName": "X", "terms": {"a": [1, None]}}
        ServiceOffering.objects.update(metadata=metadata)
        form = self.form(self.offering)
        assert '"terms"' in form["metadata"].value()
        assert "displayName" not in form["metadata"].value()
        row = self.saved(self.offering, display_name="")
        assert row.metadata == {"terms": {"a": [1, None]}}
        row = self.saved(self.offering, metadata='{"other": true}')
        assert row.metadata == {"other": True}

    def test_saving_what_was_shown_changes_nothing(self):
        for metadata in (
            {},
            {"shareable": False, "longDescription": "text \nwith an end\n"},
            {"imageUrl": "data:image/png;base64,AAAA", "": {"": ""}},
        ):
            ServiceOffering.objects.update(metadata=metadata)
            assert self.saved(self.offering).metadata == metadata
        for metadata in (
            {"costs": [{"amount": {"usd": 1e-7}, "unit": "U / V"}]},
            {"costs": [{"amount": {"usd": 1.0}, "unit": "U", "more": 1}]},
            {"costs": [], "bullets": []},
            {"bullets": ["two\nlines", " spaces "]},
        ):
            ServicePlan.objects.update(metadata=metadata)
            assert self.saved(self.plan).metadata == metadata
        assert not AuditEvent.objects.exists()

    def test_a_key_that_has_a_field_of_its_own_is_not_taken_twice(self):
        changes = {"metadata": '{"displayName": "X"}', "display_name": "Y"}
        found = self.refused(self.offering, **changes)
        assert found == {
            "metadata": "Remove displayName here: there is a field of its own."
        }
        row = self.saved(self.offering, metadata='{"displayName": "X"}')
        assert self.form(row)["display_name"].value() == "X"

    def test_a_wrong_type_is_shown_and_can_be_cured(self):
        ServiceOffering.objects.update(metadata={"displayName": 5})
        assert "metadata" in self.refused(self.offering)
        row = self.saved(self.offering, metadata="", display_name="five")
        assert row.metadata == {"displayName": "five"}

    def test_metadata_that_is_no_object_can_be_cured(self):
        for wrong in ([1], "text", 0):
            ServiceOffering.objects.update(metadata=wrong)
            assert "metadata" in self.refused(self.offering), wrong
            assert self.saved(self.offering, metadata="{}").metadata == {}


class Mistakes(FormTestCase):
    def test_stand_at_the_field_with_the_cure(self):
        rows.make_plan()
        ServiceOffering.objects.create(id="o-2", name="taken", engine="mariadb")
        for changes, cure in (
            ({"name": ""}, "required"),
            ({"name": "Taken"}, "one of its own"),
            ({"description": " "}, "required"),
            ({"engine": "oracle"}, "not one of the available"),
            ({"tags": "x" * 2049}, "Remove some"),
            ({"image_url": "javascript:alert(1)"}, "address of a picture"),
            ({"documentation_url": "javascript:alert(1)"}, "whole address"),
            ({"support_url": "http://"}, "whole address"),
            ({"metadata": "[1]"}, "Give an object"),
            ({"metadata": "{"}, "not JSON"),
            ({"metadata": "[" * 5000}, "too deeply"),
            ({"metadata": '{"a": NaN}'}, "JSON cannot carry"),
            ({"metadata": '{"a": "\\u0000"}'}, "JSON cannot carry"),
            ({"metadata": '{"a": "%s"}' % ("x" * 66_000)}, "64 KiB"),
        ):
            with self.subTest(str(changes)[:60]):
                found = self.refused(self.offering, **changes)
                assert list(found) == list(changes)
                assert cure in found[next(iter(changes))]

    def test_of_a_plan(self):
        for changes, cure in (
            ({"image": "a b"}, "Remove the spaces"),
            ({"cpus": "0"}, "more than 0"),
            ({"maintenance_version": "v1"}, "1.0.0"),
            ({"maximum_polling_duration": "60.5"}, "whole number"),
            ({"costs": "free"}, "Write it like 9.50 usd"),
            ({"costs": "9,50 usd / MONTHLY"}, "Write it like 9.50 usd"),
            ({"costs": "9.50 usd"}, "Write it like 9.50 usd"),
            ({"costs": '[{"amount": {"usd": "9"}, "unit": "M"}]'}, "without quotes"),
            ({"costs": "[1"}, "not JSON"),
            ({"memory_mb": "1"}, "greater than or equal to 64"),
        ):
            with self.subTest(str(changes)[:60]):
                found = self.refused(self.plan, **changes)
                assert list(found) == list(changes)
                assert cure in found[next(iter(changes))]

    def test_of_a_field_that_is_only_shown_stands_above_the_form(self):
        ServicePlan.objects.create(
            id=self.offering.pk, name="x", offering=self.offering
        )
        response = self.save(self.offering)
        assert "Another offering or plan has this id" in response.content.decode()


class Adding(FormTestCase):
    def add(self, url, **values):
        page = self.client.get(url)
        form = page.context["adminform"].form
        return self.client.post(url, {**as_sent(form), **values})

    def test_an_id_is_generated_and_shown(self):
        form = self.client.get(ADD_OFFERING).context["adminform"].form
        uuid.UUID(form["id"].value())
        response = self.add(
            ADD_OFFERING, name="new", description="New", engine="mariadb"
        )
        assert response.status_code == 302
        row = ServiceOffering.objects.get(name="new")
        uuid.UUID(row.pk)
        assert row.pk in self.text_of(change_url(row))

    def test_an_id_may_be_taken_over_and_never_changed(self):
        fields = {"name": "new", "description": "New", "engine": "mariadb"}
        self.add(ADD_OFFERING, id="of-2014", **fields)
        row = ServiceOffering.objects.get(pk="of-2014")
        self.saved(row, id="another", name="newer")
        assert row.name == "newer"
        assert not ServiceOffering.objects.filter(pk="another").exists()

    def test_an_id_that_is_taken_is_refused(self):
        fields = {"name": "new", "description": "New", "engine": "mariadb"}
        for taken in (self.plan.pk, self.offering.pk):
            response = self.add(ADD_OFFERING, id=taken, **fields)
            assert "id" in errors_in(response.content.decode()), taken

    def test_a_plan_is_added_to_its_offering(self):
        text = self.text_of(change_url(self.offering))
        url = f"{ADD_PLAN}?offering=offering%2F1"
        assert f'href="{url}"' in text
        response = self.add(url, name="big", description="Big", image="m:11")
        assert response.status_code == 302, errors_in(response.content.decode())
        assert ServicePlan.objects.get(name="big").offering == self.offering

    def test_a_plan_stays_with_its_offering(self):
        other = ServiceOffering.objects.create(id="o-2", name="o", engine="mariadb")
        assert self.saved(self.plan, offering=other.pk).offering == self.offering
