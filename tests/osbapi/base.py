"""What the API's tests share: requests as a platform sends them, answers checked."""

import base64
import json
from functools import cache
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode

from django.contrib.auth.hashers import make_password
from django.test import Client, TestCase

from instances.guesses import guesses
from instances.models import BrokerCredential, ServiceInstance
from instances.models.broker import prove
from instances.operations import waiting
from osbapi import fresh
from tests.fakes import OFFERING_ID, PLAN_ID, drain, make_host, make_plan
from tests.instances.base import Wishes

USERNAME, PASSWORD = "platform", "a password of the platform"
IDS = {"service_id": OFFERING_ID, "plan_id": PLAN_ID}
BODY = {**IDS, "organization_guid": "o-1", "space_guid": "s-1"}


@cache
def password_hash() -> str:
    """The product's own slow hash: computed once for all tests."""
    return make_password(PASSWORD, hasher="scrypt")


@cache
def proof() -> str:
    return prove(PASSWORD, password_hash())


def basic(username: str, password: str) -> str:
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {token}"


def assert_no_null(value: Any) -> None:
    """CLOUD-CONTROLLER §3: Cloud Controller takes some nulls for malformed answers."""
    assert value is not None
    if isinstance(value, dict):
        for name, item in value.items():
            assert item is not None, f"{name} is null"
            assert_no_null(item)
    elif isinstance(value, list):
        for item in value:
            assert_no_null(item)


def assert_document(answer: Any) -> None:
    """Every answer is a JSON object without null; an error has its two fields."""
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    assert isinstance(document, dict)
    assert_no_null(document)
    if answer.status_code >= 400:
        assert document["error"].isalpha() and document["description"].strip()
        assert "Traceback" not in document["description"]
    assert not answer.cookies


class Platform(Wishes):
    """Speaks to the API; every answer is checked to be a proper document."""

    def setUp(self) -> None:
        super().setUp()
        self.plan = make_plan()
        self.host = make_host()
        self.login = BrokerCredential.objects.create(
            username=USERNAME, password_hash=password_hash(), proof=proof()
        )
        guesses.clear()
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 0))
        # What a test changes counts at once; test_fresh.py is about the second.
        self.enterContext(mock.patch.object(fresh, "FRESH_S", 0.0))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes = b"",
        content_type: str = "application/json",
        **extra: Any,
    ) -> Any:
        """A header whose value is None is left out."""
        sent = {
            "Authorization": basic(USERNAME, PASSWORD),
            "X-Broker-API-Version": "2.15",
            **(headers or {}),
        }
        # A client of its own each time: platforms keep no cookies, threads share none.
        answer = Client().generic(
            method,
            path,
            raw if body is None else json.dumps(body),
            content_type,
            headers={name: text for name, text in sent.items() if text is not None},
            **{"RAW_URI": path, **extra},  # the path as it was sent: gunicorn's
        )
        if method != "HEAD":
            assert_document(answer)
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    # Provision, poll, deprovision.

    def put(self, guid: str = "i-1", *, is_async: bool = True, **changes: Any) -> Any:
        """A change to None leaves the field out."""
        body = {k: v for k, v in {**BODY, **changes}.items() if v is not None}
        return self.call("PUT", self.path(guid, is_async), body)

    def delete(self, guid: str = "i-1", *, is_async: bool = True, **query: Any) -> Any:
        query = query or IDS
        return self.call("DELETE", self.path(guid, is_async, **query))

    def poll(self, guid: str = "i-1", **query: str) -> Any:
        path = f"/v2/service_instances/{quote(guid, safe='')}/last_operation"
        return self.get(f"{path}?{urlencode(query)}")

    def path(self, guid: str, is_async: bool, **query: str) -> str:
        if is_async:
            query["accepts_incomplete"] = "true"
        return f"/v2/service_instances/{quote(guid, safe='')}?{urlencode(query)}"

    # Bind, unbind.

    def bind(self, guid: str = "b-1", *, instance: str = "i-1", **changes: Any) -> Any:
        body = {k: v for k, v in {**IDS, **changes}.items() if v is not None}
        return self.call("PUT", self.binding_path(guid, instance), body)

    def unbind(self, guid: str = "b-1", *, instance: str = "i-1", **query: Any) -> Any:
        return self.call("DELETE", self.binding_path(guid, instance, **(query or IDS)))

    def binding_path(self, guid: str, instance: str, **query: str) -> str:
        query["accepts_incomplete"] = "true"
        guid, instance = quote(guid, safe=""), quote(instance, safe="")
        path = f"/v2/service_instances/{instance}/service_bindings/{guid}"
        return f"{path}?{urlencode(query)}"

    def ready(self, guid: str = "i-1") -> ServiceInstance:
        assert self.put(guid).status_code == 202
        drain()
        return ServiceInstance.objects.get_live(guid)


class PlatformTestCase(Platform, TestCase):
    pass
