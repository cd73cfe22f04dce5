"""A plan's settings: checked with its engine, kept by the containers made with them."""

from unittest import mock

import pytest
from django.conf import settings

from instances import errors
from instances.engines import probes
from instances.models import Container, ServiceOffering, ServicePlan
from instances.operations import catalog_files, hosts, update
from instances.operations.catalog import complaints
from instances.operations.plan_drift import differences, is_behind
from tests.fakes import drain, make_plan
from tests.instances.base import ACTOR, IDS, DomainTestCase
from tests.instances.operations.test_catalog_files import FileTestCase
from tests.instances.operations.test_standby import StandbyTestCase

EXAMPLE = settings.BASE_DIR / "images" / "memcached" / "catalog.yml"
SETTINGS = {
    "port": 8080,
    "command": ["--listen", "8080"],
    "environment": {"PASSWORD": "${password}"},
    "credentials": {"host": "${host}", "port": "${port}", "password": "${password}"},
}
CATALOG = """
offerings:
  - id: o-1
    name: any
    description: Any image
    engine: generic
    plans:
      - {{id: p-1, name: small, description: Small, image: i:1, settings: {settings}}}
"""


class GenericTestCase(DomainTestCase):
    """The one offering has the engine; its server always answers."""

    def setUp(self) -> None:
        super().setUp()
        ServiceOffering.objects.update(engine="generic")
        ServicePlan.objects.update(settings=SETTINGS)
        self.plan.refresh_from_db()
        self.enterContext(mock.patch.object(probes, "look_at_tcp"))

    def change(self, **changes: object) -> None:
        ServicePlan.objects.update(settings={**SETTINGS, **changes})


class ContainerTest(GenericTestCase):
    def test_it_is_started_as_the_plan_says(self):
        instance = self.provisioned()
        spec = self.world.container_of(instance).spec
        password = spec.environment["PASSWORD"]
        assert (spec.port, spec.command) == (8080, ("--listen", "8080"))
        assert len(password) == 48
        assert password not in str(instance.container.settings)

    def test_editing_the_plan_does_not_touch_it(self):
        instance = self.provisioned()
        before = hosts.spec(Container.objects.get(pk=instance.container_id))
        self.change(port=9090, environment={})
        assert hosts.spec(Container.objects.get(pk=instance.container_id)) == before

    def test_it_is_behind_an_edited_plan_and_says_in_what(self):
        instance = self.provisioned()
        behind = type(instance).objects.filter(is_behind())
        assert not behind.exists() and not differences(instance)
        self.change(port=9090, readiness="http")
        instance.plan.refresh_from_db()
        assert behind.get() == instance
        assert differences(instance) == [
            ("port", 8080, 9090),
            ("readiness", "its default", "http"),
        ]

    def test_a_plan_that_runs_the_image_in_another_way_is_no_update(self):
        instance = self.provisioned()
        make_plan("plan-2", settings={**SETTINGS, "port": 9090})
        make_plan("plan-3", settings=SETTINGS, memory_mb=512)
        wish = {"guid": "i-1", "wanted": {}, "context": {}, "maintenance_version": ""}
        wish |= {"actor": ACTOR, "offering_id": IDS["offering_id"]}
        with pytest.raises(errors.UpdateNotSupported, match="in another way"):
            update.accept(plan_id="plan-2", **wish)
        assert update.accept(plan_id="plan-3", **wish) == (instance, mock.ANY)

    def test_it_is_not_swapped_since_nothing_is_known_of_its_data(self):
        self.provisioned()
        wish = {"guid": "i-1", "wanted": {}, "context": {}, "maintenance_version": ""}
        wish |= {"actor": ACTOR, **IDS, "as_planned": True}
        for changes in ({"image": "any:2"}, {"settings": {**SETTINGS, "port": 9090}}):
            before = {name: getattr(self.plan, name) for name in changes}
            ServicePlan.objects.update(**changes)
            with pytest.raises(errors.UpdateNotSupported, match="of the data"):
                update.accept(**wish)
            ServicePlan.objects.update(**before)
        _, operation = update.accept(**wish)
        assert operation

    def test_settings_that_were_never_checked_fail_the_provision(self):
        ServicePlan.objects.update(settings={})
        instance = self.accept_provision()
        drain()
        instance.refresh_from_db()
        assert instance.state == "failed"
        assert "port: Give the port" in instance.operations.get().detail


class StandbyWithSettingsTest(StandbyTestCase):
    def setUp(self) -> None:
        super().setUp()
        ServiceOffering.objects.update(engine="generic")
        self.enterContext(mock.patch.object(probes, "look_at_tcp"))
        self.change_plan(settings=SETTINGS, standby=1)
        self.replenish()

    def test_it_is_handed_out_and_its_bindings_get_what_it_was_started_with(self):
        (standby,) = self.names()
        operation = self.adopted()
        assert operation.instance.container.name == standby
        spec = self.world.container_of(operation.instance).spec
        binding = self.bound(operation.instance)
        assert binding.credentials["password"] == spec.environment["PASSWORD"]

    def test_another_setting_replaces_it(self):
        before = self.names()
        self.change_plan(settings={**SETTINGS, "port": 9090})
        assert not self.adopted().instance.container
        self.replenish()
        assert self.names() and not self.names() & before

    def test_a_number_in_place_of_a_flag_is_another_setting(self):
        """To Python, 1 is True: the standby would stay and never be handed out."""
        for value in (True, 1):
            credentials = {**SETTINGS["credentials"], "tls": value}
            self.change_plan(settings={**SETTINGS, "credentials": credentials})
            self.replenish()
            container = Container.objects.get(state="standby")
            assert container.settings["credentials"]["tls"] is value


class FileTest(FileTestCase):
    def test_the_example_loads_and_comes_back_as_it_is(self):
        catalog_files.load_catalog(EXAMPLE)
        assert not [c for c in complaints() if c.row]
        dumped = self.load(catalog_files.dump_catalog())
        assert [line.split()[0] for line in dumped] == ["kept", "kept"]

    def test_a_wrong_setting_is_named(self):
        for text, sentence in (
            ("{}", "service plan any/small: settings: port: Give the port"),
            (
                "{port: 1, credentials: {a: $b}}",
                "credentials: ${b} is unknown",
            ),
            ("[1]", "settings: Give an object"),
            ("{port: .nan}", "settings: "),
        ):
            assert sentence in self.refusal(CATALOG.format(settings=text)), text
        assert not ServiceOffering.objects.exists()

    def test_an_engine_that_knows_its_image_takes_none(self):
        text = CATALOG.format(settings="{port: 1}").replace("generic", "mariadb")
        assert "settings: port: Remove it: engine mariadb" in self.refusal(text)

    def test_a_change_is_shown_and_another_order_is_none(self):
        self.load(CATALOG.format(settings="{port: 1, credentials: {a: b, c: d}}"))
        text = CATALOG.format(settings="{credentials: {c: d, a: b}, port: 1}")
        assert not [line for line in self.load(text) if "changed" in line]
        found = self.load(CATALOG.format(settings="{port: 2, credentials: {a: b}}"))
        assert found[-1].startswith("    settings: {") and '"port": 2' in found[-1]

    def test_they_have_one_order_since_some_databases_compare_json_as_text(self):
        self.load(CATALOG.format(settings="{port: 1, credentials: {b: b, a: a}}"))
        plan = ServicePlan.objects.get()
        plan.settings = {"port": 1, "credentials": {"b": "b", "a": "a"}}
        plan.full_clean()
        assert list(plan.settings) == ["credentials", "port"]
        assert list(plan.settings["credentials"]) == ["a", "b"]

    def test_the_preview_complains(self):
        self.load(CATALOG.format(settings="{port: 1, credentials: {a: b}}"))
        ServicePlan.objects.update(settings={"port": 1})
        (complaint,) = complaints()
        assert (complaint.row, complaint.field) == (
            ServicePlan.objects.get(),
            "settings: credentials",
        )
        for wrong in ([], "text", 1):
            ServicePlan.objects.update(settings=wrong)
            assert "settings" in {complaint.field for complaint in complaints()}
