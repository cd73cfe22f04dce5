"""The settings of a plan whose engine knows nothing of its image: a field for each."""

import html

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from instances.admin.html import change_url
from instances.admin.instance_tabs import tab_url
from instances.engines.generic import DEFAULTS
from instances.models import AuditEvent, ServiceBinding, ServiceOffering, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.test_catalog_forms import (
    ADD_OFFERING,
    ADD_PLAN,
    FormTestCase,
    as_sent,
    errors_in,
)

NOTICE = "There are no users per binding"
SETTINGS = {
    "port": 8080,
    "command": ["--listen", "8080"],
    "environment": {"A": "1", "B": "x = y"},
    "credentials": {"uri": "http://${host}:${port}/"},
}


class SettingsTestCase(FormTestCase):
    def setUp(self):
        super().setUp()
        ServiceOffering.objects.update(engine="generic")
        ServicePlan.objects.update(settings=SETTINGS)


class Editing(SettingsTestCase):
    def test_saving_what_was_shown_changes_nothing(self):
        for changes in (
            {},
            {"command": [" spaces ", "two\nlines", "", "[1]"]},
            {"command": ["[1]"]},
            {"command": []},
            {"environment": {}},
            {"environment": {"A": " 1", "B": "two\nlines", "C": ""}},
            {"readiness": "http", "readiness_path": "/health"},
            {"readiness_status": 200, "data_path": "/data"},
            {"credentials": {"a": [True, 1, 0.5, {"b": ""}]}},
        ):
            stored = {**SETTINGS, **changes}
            ServicePlan.objects.update(settings=stored)
            assert self.saved(self.plan).settings == stored, changes
        assert not AuditEvent.objects.exists()

    def test_each_has_a_field(self):
        row = self.saved(
            self.plan,
            port="9090",
            command="-v\r\n\r\n--name=a b\r\n",
            environment="A=${password}\r\nB.c==\r\n",
            readiness="http",
            readiness_path="/health",
            readiness_status="204",
            credentials='{"p": "${port}"}',
            data_path="/data",
        )
        assert row.settings == {
            "port": 9090,
            "command": ["-v", "--name=a b"],
            "environment": {"A": "${password}", "B.c": "="},
            "readiness": "http",
            "readiness_path": "/health",
            "readiness_status": 204,
            "credentials": {"p": "${port}"},
            "data_path": "/data",
        }
        (before, after) = AuditEvent.objects.get().changes["settings"]
        assert (before["port"], after["port"]) == (8080, 9090)

    def test_lists_and_objects_may_be_json(self):
        row = self.saved(
            self.plan, command='["", " a"]', environment='{"A": " spaces "}'
        )
        assert row.settings["command"] == ["", " a"]
        assert row.settings["environment"] == {"A": " spaces "}

    def test_what_is_emptied_is_left_out(self):
        row = self.saved(self.plan, command="", environment="")
        assert set(row.settings) == {"port", "credentials"}

    def test_mistakes_stand_at_the_field_with_the_cure(self):
        for changes, cure in (
            ({"port": ""}, "1 to 65535"),
            ({"port": "0"}, "1 to 65535"),
            ({"port": "http"}, "whole number"),
            ({"command": "[1"}, "not JSON"),
            ({"command": "[1]"}, "a list of texts"),
            ({"command": "${user}"}, "known are ${host}"),
            ({"environment": "A"}, "NAME=value"),
            ({"environment": "A=1\r\nA=2"}, "there already"),
            ({"environment": "A B=1"}, "no name of a variable"),
            ({"environment": '{"A": 1}'}, "in quotes"),
            ({"environment": "A=$("}, "$$"),
            ({"readiness": "udp"}, "not one of the available"),
            ({"readiness_path": "health"}, "begins with /"),
            ({"readiness_status": "20"}, "200 to 599"),
            ({"credentials": ""}, "JSON object"),
            ({"credentials": '{"a": "${pasword}"}'}, "known are ${host}"),
            ({"data_path": "data"}, "whole path"),
        ):
            with self.subTest(str(changes)):
                found = self.refused(self.plan, **changes)
                assert list(found) == list(changes)
                assert cure in found[next(iter(changes))]

    def test_what_no_field_is_for_goes(self):
        ServicePlan.objects.update(settings={**SETTINGS, "volume": "/data"})
        assert self.saved(self.plan).settings == SETTINGS


class Showing(SettingsTestCase):
    def has_fields(self, url, **query):
        text = self.text_of(url, **query)
        found = {name for name in DEFAULTS if f'name="{name}"' in text}
        assert found in (set(), set(DEFAULTS))
        assert (NOTICE in text) == bool(found)
        return bool(found)

    def test_the_fields_are_there_where_the_engine_takes_settings(self):
        assert self.has_fields(change_url(self.plan))
        assert self.has_fields(ADD_PLAN, offering=self.offering.pk)
        assert self.has_fields(ADD_PLAN)
        ServiceOffering.objects.update(engine="mariadb")
        assert not self.has_fields(change_url(self.plan))
        assert not self.has_fields(ADD_PLAN, offering=self.offering.pk)
        assert not self.has_fields(ADD_PLAN)

    def test_the_dangers_of_secrets_are_told(self):
        text = self.text_of(change_url(self.plan))
        assert text.count("is shown by docker inspect, and backups carry it") == 2

    def test_other_staff_see_the_settings_and_the_notice(self):
        reader = get_user_model().objects.create_user("rita", is_staff=True)
        names = ["view_serviceplan"]
        reader.user_permissions.set(Permission.objects.filter(codename__in=names))
        self.client.force_login(reader)
        text = html.unescape(self.text_of(change_url(self.plan)))
        assert NOTICE in text and "http://${host}:${port}/" in text
        assert "<textarea" not in text

    def test_pages_of_instances_and_bindings_say_that_credentials_are_shared(self):
        instance = rows.make_instance()
        binding = ServiceBinding.objects.get()
        text = self.text_of(change_url(instance))
        assert NOTICE in text
        assert "shared by all bindings" in self.text_of(tab_url(instance, "bindings"))
        assert instance.database not in text
        assert "shared by all bindings" in self.text_of(change_url(binding))
        ServiceOffering.objects.update(engine="mariadb")
        for url in (tab_url(instance, "bindings"), change_url(binding)):
            text = self.text_of(url)
            assert NOTICE not in text and "shared by all" not in text
            assert binding.username in text
        assert instance.database in self.text_of(change_url(instance))

    def test_a_container_shows_those_it_was_made_with(self):
        container = rows.make_instance().container
        container.settings = {"port": 4711}
        container.save()
        assert "4711" in self.text_of(change_url(container))


class Adding(SettingsTestCase):
    def add(self, url, **values):
        form = self.client.get(url).context["adminform"].form
        return self.client.post(url, {**as_sent(form), **values})

    def test_an_offering_of_any_image_with_its_plan(self):
        """What an operator does: nothing but the console."""
        self.add(ADD_OFFERING, name="any", description="Any", engine="generic")
        offering = ServiceOffering.objects.get(name="any")
        url = f"{ADD_PLAN}?offering={offering.pk}"
        fields = {"name": "small", "description": "Small", "image": "i:1"}
        response = self.add(url, **fields)
        found = errors_in(response.content.decode())
        assert set(found) == {"port", "credentials"}
        response = self.add(url, **fields, port="80", credentials='{"h": "${host}"}')
        assert response.status_code == 302, errors_in(response.content.decode())
        plan = ServicePlan.objects.get(offering=offering)
        assert plan.settings == {"port": 80, "credentials": {"h": "${host}"}}

    def test_settings_for_an_engine_that_takes_none_are_refused(self):
        other = ServiceOffering.objects.create(id="o-2", name="o", engine="mariadb")
        fields = {"name": "big", "description": "Big", "image": "m:1"}
        response = self.add(ADD_PLAN, offering=other.pk, port="80", **fields)
        found = errors_in(response.content.decode())
        assert found == {"port": "Remove it: o has engine mariadb."}
        response = self.add(ADD_PLAN, offering=other.pk, **fields)
        assert response.status_code == 302
        assert other.plans.get().settings == {}
