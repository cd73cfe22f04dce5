import pytest
from django.core.exceptions import ValidationError
from django.test import SimpleTestCase, TestCase

from instances.models import ServiceInstance, ServiceOffering, ServicePlan
from instances.models.catalog_rules import schema
from tests.fakes import OFFERING_ID, PLAN_ID, make_plan

DRAFT_4 = "http://json-schema.org/draft-04/schema#"


class CatalogRulesTestCase(TestCase):
    """Every rule of CLOUD-CONTROLLER §2 that a row can break."""

    def setUp(self) -> None:
        self.plan = make_plan()
        self.offering = self.plan.offering

    def mistakes(self, row: object, **changes: object) -> dict[str, list[str]]:
        for name, value in changes.items():
            setattr(row, name, value)
        try:
            row.full_clean()
        except ValidationError as error:
            return error.message_dict
        return {}

    def assert_refused(self, row: object, field: str, values: tuple, cure: str) -> None:
        for value in values:
            with self.subTest(value):
                found = self.mistakes(row, **{field: value})
                assert list(found) == [field], found
                assert any(cure in sentence for sentence in found[field]), found

    def assert_taken(self, row: object, field: str, *values: object) -> None:
        for value in values:
            assert self.mistakes(row, **{field: value}) == {}, value


class OfferingTest(CatalogRulesTestCase):
    def test_a_good_one_passes(self):
        assert self.mistakes(self.offering) == {}

    def test_blank_texts(self):
        for field in ("name", "description"):
            self.assert_refused(self.offering, field, ("", " "), "")
            self.offering.refresh_from_db()

    def test_names_longer_than_255(self):
        self.assert_refused(self.offering, "name", ("x" * 256,), "at most 255")

    def test_names_that_are_taken_or_differ_in_case_only(self):
        other = ServiceOffering(id="o-2", description="x", engine="mariadb")
        self.assert_refused(
            other, "name", ("mysql-docker", "MySQL-Docker"), "one of its own"
        )
        self.assert_taken(other, "name", "mysql-docker2", "mysql_docker")

    def test_disk_limits(self):
        self.assert_taken(self.plan, "disk_mb", None, 64, 10**6)
        self.assert_refused(
            self.plan, "disk_mb", (0, 63), "at least 64 MiB, or nothing"
        )
        self.plan.disk_mb = None
        self.assert_taken(self.plan, "when_disk_full", "read_only", "stop")
        wrong = ("readonly", "stopped")
        self.assert_refused(self.plan, "when_disk_full", wrong, "read_only or stop")

    def test_ids_are_its_own_among_offerings_and_plans(self):
        for taken in (PLAN_ID, PLAN_ID.upper(), OFFERING_ID.upper()):
            row = ServiceOffering(id=taken, name="n", description="d", engine="mariadb")
            assert list(self.mistakes(row)) == ["id"], taken

    def test_tags(self):
        wrong = (None, "mysql", {"a": 1}, [1], [None], [["a"]])
        self.assert_refused(self.offering, "tags", wrong, "list of texts")
        self.assert_refused(self.offering, "tags", (["x" * 1025] * 2,), "2048")
        self.assert_taken(self.offering, "tags", [], ["mysql"], ["x" * 1024] * 2)

    def test_metadata(self):
        wrong = (None, "text", [], 1)
        self.assert_refused(self.offering, "metadata", wrong, "JSON object")
        self.assert_refused(self.offering, "metadata", ({"a": "x" * 65_536},), "64 KiB")
        self.assert_taken(self.offering, "metadata", {}, {"a": "x" * 65_000})

    def test_metadata_that_not_every_reader_takes(self):
        for value in (float("nan"), float("inf"), "a\0b", "\ud800"):
            found = self.mistakes(self.offering, metadata={"a": value})
            assert "JSON cannot carry" in found["metadata"][0], value

    def test_shareable_is_a_boolean(self):
        wrong = ({"shareable": "true"}, {"shareable": 1}, {"shareable": None})
        self.assert_refused(self.offering, "metadata", wrong, "shareable: give true")
        self.assert_taken(
            self.offering, "metadata", {"shareable": True}, {"shareable": False}
        )

    def test_texts_of_metadata(self):
        wrong = ({"displayName": 1}, {"supportUrl": None}, {"imageUrl": []})
        self.assert_refused(self.offering, "metadata", wrong, "give a text")

    def test_the_engine_stays_once_there_was_an_instance(self):
        self.assert_taken(self.offering, "engine", "redis")
        instance = ServiceInstance.new(guid="i", context={}, plan=self.plan)
        instance.state = ServiceInstance.State.GONE
        instance.save()
        self.assert_refused(self.offering, "engine", ("redis",), "It stays mariadb")


class PlanTest(CatalogRulesTestCase):
    def test_a_good_one_passes(self):
        assert self.mistakes(self.plan) == {}

    def test_blank_texts(self):
        for field in ("name", "description", "image"):
            self.assert_refused(self.plan, field, ("", " "), "")
            self.plan.refresh_from_db()

    def test_an_image_has_no_spaces(self):
        self.assert_refused(self.plan, "image", ("a b", "a\tb"), "spaces")

    def test_names_are_unique_in_the_offering(self):
        other = ServicePlan(
            id="p-2", offering=self.offering, description="d", image="i"
        )
        self.assert_refused(other, "name", (PLAN_ID, PLAN_ID.upper()), "one of its own")
        elsewhere = ServiceOffering.objects.create(id="o-2", name="o", engine="mariadb")
        other.offering = elsewhere
        self.assert_taken(other, "name", PLAN_ID)

    def test_ids_are_its_own_among_offerings_and_plans(self):
        for taken in (OFFERING_ID, PLAN_ID.upper()):
            row = ServicePlan(
                id=taken, offering=self.offering, name="n", description="d", image="i"
            )
            assert list(self.mistakes(row)) == ["id"], taken

    def test_the_offering_stays(self):
        other = ServiceOffering.objects.create(id="o-2", name="o", engine="mariadb")
        self.assert_refused(self.plan, "offering", (other,), "It stays a plan of")

    def test_costs(self):
        """Cloud Controller would drop all of them without a word."""
        for costs, cure in (
            ({}, "list of objects"),
            (["free"], "Entry 1 is not an object"),
            ([{"amount": {"usd": "9.5"}, "unit": "MONTHLY"}], "without quotes"),
            ([{"amount": {"usd": True}, "unit": "MONTHLY"}], "without quotes"),
            ([{"amount": {"usd": None}, "unit": "MONTHLY"}], "without quotes"),
            ([{"amount": {}, "unit": "MONTHLY"}], "needs an amount"),
            ([{"amount": 9.5, "unit": "MONTHLY"}], "needs an amount"),
            ([{"amount": {"usd": 9.5}, "unit": " "}], "needs a unit"),
            ([{"amount": {"usd": 9.5}}], "needs a unit"),
            (
                [
                    {"amount": {"usd": 9.5}, "unit": "MONTHLY"},
                    {"amount": {"usd": "1"}, "unit": "1 GB"},
                ],
                "Entry 2",
            ),
        ):
            self.assert_refused(self.plan, "metadata", ({"costs": costs},), cure)
        good = {"amount": {"usd": 9.5, "eur": 9}, "unit": "MONTHLY"}
        self.assert_taken(self.plan, "metadata", {"costs": [good]}, {"costs": []})

    def test_bullets(self):
        wrong = ({"bullets": "one"}, {"bullets": [1]}, {"bullets": None})
        self.assert_refused(self.plan, "metadata", wrong, "bullets: give a list")

    def test_maintenance_versions(self):
        self.assert_taken(
            self.plan,
            "maintenance_version",
            "",
            "0.0.0",
            "1.2.3",
            "1.0.0-rc.1",
            "1.2.3+build.5",
            "1.0.0-alpha.1+001",
        )
        wrong = (
            "1",
            "1.2",
            "v1.2.3",
            "1.2.3.4",
            "01.2.3",
            "1.0.0-01",
            "1.0.0 ",
            "\u0661.0.0",
        )
        self.assert_refused(self.plan, "maintenance_version", wrong, "such as 1.0.0")

    def test_a_maintenance_description_needs_a_version(self):
        found = self.mistakes(self.plan, maintenance_description="New image")
        assert list(found) == ["maintenance_version"]

    def test_polling_duration_is_a_whole_number(self):
        wrong = ("long", "60.0", None)
        self.assert_refused(self.plan, "maximum_polling_duration", wrong, "")

    def test_cpus(self):
        self.assert_refused(self.plan, "cpus", (0, "-1"), "more than 0")


class SchemaTest(SimpleTestCase):
    def test_what_cloud_controller_compiles(self):
        assert not list(schema({"$schema": DRAFT_4, "properties": {"a": {}}}))
        local = {
            "properties": {"a": {"$ref": "#/definitions/a"}},
            "definitions": {"a": {"type": "integer"}},
        }
        assert not list(schema({"$schema": DRAFT_4, **local}))

    def test_what_it_refuses(self):
        for value in (
            {},
            [],
            {"type": "object"},
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            {"$schema": "https://json-schema.org/draft/2020-12/schema"},
            {"$schema": DRAFT_4, "title": "x" * 65_536},
            {"$schema": DRAFT_4, "items": [{"$ref": "http://example.com/s.json"}]},
            {"$schema": DRAFT_4, "$ref": "#/definitions/missing"},
            {"$schema": DRAFT_4, "required": []},
            {"$schema": DRAFT_4, "properties": {"a": {"required": True}}},
            {"$schema": DRAFT_4, "properties": {"a": {"type": "text"}}},
            {"$schema": DRAFT_4, "properties": {"a": {"pattern": "("}}},
            {"$schema": DRAFT_4.replace("04", "06"), "exclusiveMinimum": 3},
        ):
            assert list(schema(value)), value


@pytest.mark.parametrize("model", [ServiceOffering, ServicePlan])
def test_an_empty_row_is_refused_and_not_an_error(model, db):
    with pytest.raises(ValidationError):
        model().full_clean()
