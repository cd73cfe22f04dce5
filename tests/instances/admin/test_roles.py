"""The matrix of roles: every page and every action, for each role (SECURITY S47)."""

from unittest.mock import patch

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.urls import Resolver404, resolve

from instances import errors
from instances.admin.base import secret_columns
from instances.encryption import EncryptedJSONField
from instances.models import (
    AuditEvent,
    Backup,
    DockerHost,
    HostImage,
    Operation,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import download
from tests.instances.admin import expectations, routes, rows
from tests.instances.admin.expectations import LADDER
from tests.instances.admin.made_roles import make_roles
from tests.instances.admin.parsing import Parsed
from tests.instances.admin.rows import ConsoleTestCase

CONNECT = "instances.operations.hosts.connect"
ROLES = ("viewer", "operator", "administrator")


def unanswered(*args, **kwargs):
    raise errors.HostUnreachable(detail="Docker does not answer")


class RolesTestCase(ConsoleTestCase):
    """A user of each role, and a row of each model that may also be deleted."""

    def setUp(self):
        super().setUp()
        make_roles()
        self.rows = rows.make_everything()
        # As after its first download.
        Backup.objects.update(
            archive_sha256="0" * 64, archive_bytes=2**20, archive_recipe=download.RECIPE
        )
        self.rows[DockerHost] = rows.make_host("spare")
        self.rows[ServiceOffering] = offering = self._copy(ServiceOffering)
        self.rows[ServicePlan] = self._copy(ServicePlan, offering=offering)
        self.sessions = {role: self._log_in(role) for role in LADDER[1:]}
        self.rows[get_user_model()] = get_user_model().objects.create_user("someone")
        self.rows[Group] = Group.objects.create(name="of no use")

    def _copy(self, model, **fields):
        row = self.rows[model]
        row.pk, row.name = f"{row.pk}-spare", "spare"
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(force_insert=True)
        return row

    def _log_in(self, role):
        users = get_user_model().objects
        if role == "superuser":
            user = self.user
        else:
            user = users.create_user(role, is_staff=role != "former")
            group = "administrator" if role == "former" else role
            user.groups.set(Group.objects.filter(name=group))
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def client_of(self, role):
        client = Client()
        if role in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[role]
        return client

    def pages(self):
        """(key, what is expected, address) of each."""
        for route in routes.every():
            page = expectations.of_page(route.key, route.model)
            address = route.address(self.rows, page.path)
            if route.key in expectations.PAGES:
                address += f"?id={self.rows[ServiceInstance].pk}"
            yield route.key, page, address


class Enumeration(RolesTestCase):
    def test_every_page_has_its_line(self):
        for route in routes.every():
            assert expectations.of_page(route.key, route.model), route

    def test_every_action_has_its_line(self):
        for model, name in routes.actions():
            expectations.of_action(model, name)

    def test_no_line_is_left_of_what_is_gone(self):
        keys = [route.key for route in routes.every()]
        assert len(keys) == len(set(keys))
        assert set(expectations.PAGES) <= set(keys)
        assert set(expectations.MODELS) == {route.model for route in routes.every()} - {
            ""
        }
        there = {f"{model}.{name}" for model, name in routes.actions()}
        assert set(expectations.ACTIONS) <= there


def is_refused(response):
    to_login = response.get("Location", "").startswith("/admin/login/")
    return response.status_code in (403, 404, 405) or to_login


def footprint():
    """What no refused request may have added to."""
    models = (AuditEvent, Operation, Backup, HostImage, get_user_model(), DockerHost)
    return [model.objects.count() for model in models]


class Matrix(RolesTestCase):
    def check_pages(self, role):
        for key, page, address in self.pages():
            is_allowed = role in page.get
            response = self.client_of(role).get(address)
            self.check(response, page, is_allowed, (role, "GET", key))
            before = footprint()
            is_allowed = role in page.posting
            # What comes after the permission is tested with each page, not here.
            with transaction.atomic(), patch(CONNECT, unanswered):
                response = self.client_of(role).post(
                    address, {"id": self.rows[ServiceInstance].pk, "post": "yes"}
                )
                self.check(response, page, is_allowed, (role, "POST", key))
                assert is_allowed or footprint() == before, (role, key)
                transaction.set_rollback(True)

    def check(self, response, page, is_allowed, what):
        status = response.status_code
        assert status < 500, what
        if is_allowed and page.is_found:
            # What only takes the other method says so, to those who may.
            assert status == 405 or not is_refused(response), (*what, status)
        elif is_allowed:
            assert status == 404, (*what, status)
        else:
            assert is_refused(response), (*what, status)

    def check_actions(self, role):
        for model, name in routes.actions():
            row = self.rows[apps.get_model(model.replace("_", "."))]
            url = f"/admin/{model.replace('_', '/')}/"
            sent = {"action": name, "_selected_action": row.pk, "index": 0}
            before = footprint()
            with transaction.atomic():
                response = self.client_of(role).post(url, sent)
                is_done = self.is_done(response)
                assert is_done == (role in expectations.of_action(model, name)), (
                    *(role, model, name, response.status_code),
                )
                assert is_done or footprint() == before, (role, model, name)
                transaction.set_rollback(True)

    def is_done(self, response):
        """Otherwise it is refused, or the list is shown as if it had not been sent."""
        if is_refused(response):
            return False
        said = [str(message) for message in get_messages(response.wsgi_request)]
        is_list = response.status_code == 200 and "cl" in response.context_data
        return not is_list and "No action selected." not in said


def _for_each(check):
    """A test of each role, so that one's failure does not hide another's."""

    def method(role):
        return lambda self: getattr(self, check)(role)

    return {f"test_{check}_of_{role}": method(role) for role in LADDER}


for _check in ("check_pages", "check_actions"):
    for _name, _method in _for_each(_check).items():
        setattr(Matrix, _name, _method)


class Buttons(RolesTestCase):
    """Links and buttons lead to what the role may, and to all of that."""

    def linked(self, role):
        """The routes that the pages shown to this role link or post to."""
        found = set()
        for key, page, address in self.pages():
            if role not in page.get or key == "logout":
                continue
            response = self.client_of(role).get(address)
            if response.get("Content-Type", "").startswith("text/html"):
                parsed = Parsed(response.content.decode())
                urls = [("get", url) for url in parsed.links]
                urls += [("post", url or address) for url in parsed.posts]
                for method, url in urls:
                    found |= {(method, *target) for target in self.targets(url)}
        return found

    def targets(self, url):
        path = url.partition("?")[0].partition("#")[0]
        if not path.startswith(routes.ROOT):
            return
        try:
            match = resolve(path)
        except Resolver404:
            return
        model = ""
        for route in self.every:
            if route.key == match.url_name:
                model = route.model
        if match.url_name:
            yield match.url_name, model

    def is_allowed(self, role, method, key, model):
        page = expectations.of_page(key, model)
        return role in (page.get if method == "get" else page.posting)

    def test_are_shown_to_those_who_may_use_them(self):
        self.every = routes.every()
        everything = self.linked("superuser")
        for key in ("back_up", "upgrade", "deprovision"):
            name = f"instances_serviceinstance_{key}"
            assert ("get", name, "instances_serviceinstance") in everything
        for role in ROLES:
            allowed = {what for what in everything if self.is_allowed(role, *what)}
            shown = self.linked(role)
            assert shown <= allowed, (role, shown - allowed)
            assert self.own(shown) == self.own(allowed), role

    def own(self, found):
        """Those that are this product's, not Django's."""
        return {what for what in found if what[2] and what[1] in expectations.PAGES}


class Secrets(RolesTestCase):
    """SECURITY S47: no role sees what is encrypted or hashed."""

    def setUp(self):
        super().setUp()
        for model in apps.get_app_config("instances").get_models():
            for name in secret_columns(model):
                if name == "key_check":  # it is no secret: it shows that a key fits
                    continue
                is_json = isinstance(model._meta.get_field(name), EncryptedJSONField)
                canary = rows.CREDENTIALS if is_json else "canary-secret"
                model._base_manager.update(**{name: canary})

    def test_no_page_shows_one(self):
        for role in ROLES:
            for key, page, address in self.pages():
                response = self.client_of(role).get(address)
                assert role not in page.get or response.status_code != 403
                for canary in rows.CANARIES:
                    assert canary not in response.content.decode(), (role, key)
