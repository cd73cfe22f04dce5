"""Whatever strangers have written is text on every page (SECURITY S44)."""

import re

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import CharField, JSONField, TextField
from django.urls import reverse

from instances import errors
from instances.admin.base import secret_columns
from instances.admin.html import change_url, list_url
from instances.models import Container, DockerHost, ServiceInstance
from tests.instances.admin.parsing import Parsed
from tests.instances.admin.test_roles import RolesTestCase

MARKUP = "\"'></pre></textarea></script><x-evil onevil=a>"
VALUE = f"\x1b[1m\u202e\x9b{MARKUP}javascript:{{{{7|add:7}}}}{'long ' * 2000}"
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
KEPT = {
    *("engine", "key", "live_key", "at", "password", "codename"),
    *("cron", "backup_cron"),
}
"""What decides how a page is made, has been checked, or is never shown."""
SILENT = {
    *("instances_broker", "instances_portlease", "auth_group"),
}
"""Models whose list or page need not show any text of others."""


def poison():
    """Every text of every row, by its column: a new one cannot be forgotten."""
    models = [*apps.get_app_config("instances").get_models(), get_user_model(), Group]
    for model in models:
        secret = secret_columns(model)
        columns = [
            column
            for column in model._meta.concrete_fields
            if isinstance(column, CharField | TextField | JSONField)
            and not (column.primary_key or column.choices)
            and column.name not in KEPT.union(secret)
        ]
        for number, row in enumerate(model._base_manager.defer(*secret)):
            values = {column.name: hostile(column, row, number) for column in columns}
            if values:
                model._base_manager.filter(pk=row.pk).update(**values)


def hostile(column, row, number):
    if isinstance(column, JSONField):
        return within(getattr(row, column.name))
    if column.max_length:
        return f"{VALUE[: column.max_length - 1]}{number}"
    return VALUE


def within(value):
    """JSON of the same shape, with every text and one more name replaced."""
    if isinstance(value, dict):
        found = {
            name: item if name in KEPT else within(item) for name, item in value.items()
        }
        return {VALUE: VALUE, **found}
    if isinstance(value, list):
        return [within(item) for item in value]
    return VALUE if isinstance(value, str) else value


class HostileTestCase(RolesTestCase):
    def setUp(self):
        super().setUp()
        poison()
        self.docker.log = f"{VALUE}\n"

    def check(self, response, where):
        """Return the text of the page."""
        html = response.content.decode()
        found = UNSEEN.search(html)
        assert not found, (where, found and html[found.start() - 60 : found.end()])
        page = Parsed(html)
        for tag, attributes in page.elements:
            assert not tag.startswith("x-"), where
            assert tag != "script" or attributes.get("src"), where
            for name, value in attributes.items():
                assert re.fullmatch(r"[a-z][a-z0-9:-]*", name), (where, name)
                assert not name.startswith("on"), (where, name)
                is_address = name in ("href", "src", "action", "formaction")
                assert not is_address or re.match(r"$|[/?#.]", value), (where, value)
        return "".join(page.texts)


class Walk(HostileTestCase):
    def test_every_page_shows_text(self):
        silent = []
        for key, page, address in self.pages():
            if "superuser" not in page.get or key == "logout":
                continue
            response = self.client_of("superuser").get(address)
            assert response.status_code < 500, key
            if not response.get("Content-Type", "").startswith("text/html"):
                continue
            text = self.check(response, key)
            assert "77" not in text or "{{7" in text, key
            if response.status_code == 200 and "<x-evil onevil" not in text:
                silent.append(key)
        shown = {f"{model}_{kind}" for model in self.models() for kind in KINDS}
        assert not shown.intersection(silent), sorted(shown.intersection(silent))

    def models(self):
        labels = {row._meta.label_lower.replace(".", "_") for row in self.rows.values()}
        return labels - SILENT

    def test_lists_show_what_was_searched_for(self):
        for model in self.rows:
            for query in ({"q": VALUE[:500]}, {"state__exact": VALUE[:500]}):
                response = self.client.get(list_url(model), query, follow=True)
                assert response.status_code == 200, model
                self.check(response, (model, query.keys()))

    def test_a_silent_host_may_say_anything(self):
        def find(name):
            raise errors.HostUnreachable(detail=VALUE)

        self.docker.find = find
        for model in (ServiceInstance, Container, DockerHost):
            url = change_url(self.rows[model])
            assert "<x-evil onevil" in self.check(self.client.get(url), model)


KINDS = ("changelist", "change")


class Messages(HostileTestCase):
    """What a page says after something was asked for names what it was for."""

    def setUp(self):
        super().setUp()
        self.instance = self.rows[ServiceInstance]

    def said(self, url, **data):
        response = self.client.post(url, {"id": self.instance.pk, **data}, follow=True)
        assert response.status_code == 200, url
        said = [str(message) for message in response.context["messages"]]
        assert said, url
        self.check(response, url)
        return " ".join(said)

    def test_are_text(self):
        name = "admin:instances_serviceinstance_"
        tail = self.instance.__class__.objects.get(pk=self.instance.pk).guid[-6:]
        for what in ("back_up", "upgrade", "deprovision"):
            said = self.said(reverse(f"{name}{what}"), confirmation=tail.strip())
            assert "x-evil" in said, what

    def test_of_actions_are_text(self):
        sent = {"action": "lift_disk_limit", "_selected_action": self.instance.pk}
        assert self.said(list_url(ServiceInstance), index=0, **sent)

    def test_of_the_login_are_text(self):
        response = self.client_of("anonymous").post(
            reverse("admin:login"), {"username": VALUE[:150], "password": VALUE}
        )
        self.check(response, "login")
