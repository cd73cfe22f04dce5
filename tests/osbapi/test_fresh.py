"""What a process remembers for a second, and how it learns that it is out of date.

The rows are changed behind its back here, as another process would.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import SimpleTestCase
from django.test.utils import CaptureQueriesContext

from instances.models import BrokerCredential, ServiceOffering, ServicePlan
from osbapi import authentication, fresh, responses
from osbapi.fresh import Fresh
from osbapi.ready import with_catalog
from tests.osbapi.base import PASSWORD, USERNAME, PlatformTestCase, basic


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FreshTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.enterContext(mock.patch.object(fresh, "FRESH_S", 1.0))
        self.enterContext(mock.patch.object(fresh, "monotonic", self.clock))
        Fresh.forget_all()
        self.addCleanup(Fresh.forget_all)

    def status(self, password: str = PASSWORD) -> int:
        headers = {"Authorization": basic(USERNAME, password)}
        return self.get("/v2/catalog", headers=headers).status_code

    def names(self) -> list[str]:
        return [row["name"] for row in self.get("/v2/catalog").json()["services"]]


class LoginTest(FreshTestCase):
    """S29."""

    def test_a_withdrawn_login_is_refused_within_a_second(self):
        assert self.status() == 200
        BrokerCredential.objects.update(active=False)
        self.clock.now += 0.99
        assert self.status() == 200
        self.clock.now += 0.01
        assert self.status() == 401

    def test_polling_does_not_prolong_it(self):
        assert self.status() == 200
        BrokerCredential.objects.all().delete()
        for _ in range(3):
            self.clock.now += 0.3
            assert self.status() == 200
        self.clock.now += 0.3
        assert self.status() == 401

    def test_a_new_password_counts_at_once_and_the_former_one_for_a_second(self):
        """A rotation refuses nobody who has the new one."""
        assert self.status() == 200
        self.login.set_password("another")
        self.login.save()
        assert self.status("another") == 200
        self.clock.now += 1
        assert self.status() == 401
        assert self.status("another") == 200

    def test_a_wrong_password_is_not_remembered(self):
        assert self.status("another") == 401
        self.login.set_password("another")
        self.login.save()
        assert self.status("another") == 200

    def test_it_holds_for_the_same_header_only(self):
        assert self.status() == 200
        for header in (None, basic(USERNAME, "x"), basic("x", PASSWORD), "Basic"):
            headers = {"Authorization": header}
            assert self.get("/v2/catalog", headers=headers).status_code == 401

    def test_no_password_is_kept(self):
        """S21."""
        self.status()
        kept = repr(vars(authentication.known))
        assert "Platform(username='platform'" in kept
        assert PASSWORD not in kept and basic(USERNAME, PASSWORD) not in kept


class CatalogTest(FreshTestCase):
    def test_an_edited_catalog_is_served_within_a_second(self):
        assert self.names() == ["mysql-docker"]
        ServiceOffering.objects.update(name="renamed")
        self.clock.now += 0.99
        assert self.names() == ["mysql-docker"]
        self.clock.now += 0.01
        assert self.names() == ["renamed"]

    def test_a_withdrawn_plan_cannot_be_had_meanwhile(self):
        """What is asked for is checked against the rows."""
        self.names()
        ServicePlan.objects.update(active=False)
        assert self.put().status_code == 400

    def test_a_change_in_the_console_counts_at_once_in_its_process(self):
        assert self.names() == ["mysql-docker"]
        root = get_user_model().objects.create_superuser("root")
        self.client.force_login(root)
        offering = ServiceOffering.objects.get()
        page = f"/admin/instances/serviceoffering/{offering.pk}/change/"
        form = self.client.get(page).context["adminform"].form
        changed = {k: v for k, v in form.initial.items() if v not in (None, [], {})}
        answer = self.client.post(page, {**changed, "name": "renamed"})
        assert answer.status_code == 302, answer.context["errors"]
        assert self.names() == ["renamed"]

    def test_within_the_second_no_statement_is_needed(self):
        self.names()
        with self.assertNumQueries(0):
            self.names()


class ReadyTest(FreshTestCase):
    """The way around the framework gives the same answer, or none of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.passed_on: list[dict[str, Any]] = []
        self.answered = mock.Mock()
        self.application = with_catalog(self._ordinary, answered=self.answered)

    def _ordinary(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        self.passed_on.append(environ)
        return []

    def ask(self, **changes: str) -> tuple[Any, bytes]:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/v2/catalog",
            "HTTP_AUTHORIZATION": basic(USERNAME, PASSWORD),
            "HTTP_X_BROKER_API_VERSION": "2.17",
            **changes,
        }
        start = mock.Mock()
        body = b"".join(self.application(environ, start))
        return start.call_args and start.call_args.args, body

    def test_the_answer_is_the_same(self):
        ordinary = self.get("/v2/catalog")
        (status, headers), body = self.ask()
        assert (status, body) == ("200 OK", ordinary.content)
        # Which methods are allowed is only of use with 405.
        theirs = {k: v for k, v in ordinary.headers.items() if k != "Allow"}
        assert dict(headers) == {**theirs, "Content-Length": str(len(body))}
        assert self.passed_on == []
        ((method, code, took_s),) = (c.args for c in self.answered.call_args_list)
        assert (method, code) == ("GET", 200) and took_s >= 0

    def test_it_asks_the_database_nothing(self):
        self.get("/v2/catalog")
        with CaptureQueriesContext(connection) as queries:
            self.ask()
        assert len(queries) == 0

    def test_whatever_is_out_of_the_ordinary_is_passed_on(self):
        self.get("/v2/catalog")
        for changes in (
            {"REQUEST_METHOD": "HEAD"},
            {"REQUEST_METHOD": "POST"},
            {"PATH_INFO": "/v2/service_instances/i-1"},
            {"PATH_INFO": "/v2/catalog/"},
            {"HTTP_AUTHORIZATION": ""},
            {"HTTP_AUTHORIZATION": basic(USERNAME, "wrong")},
            {"HTTP_X_BROKER_API_VERSION": ""},
            {"HTTP_X_BROKER_API_VERSION": "3.0"},
            {"HTTP_IF_NONE_MATCH": responses.catalog().etag},
            {"HTTP_X_BROKER_API_REQUEST_IDENTITY": "i"},
        ):
            with self.subTest(**changes):
                self.passed_on.clear()
                assert self.ask(**changes) == (None, b"")
                assert len(self.passed_on) == 1

    def test_it_is_passed_on_when_the_second_is_over(self):
        self.get("/v2/catalog")
        self.clock.now += 1
        self.ask()
        assert len(self.passed_on) == 1

    def test_a_login_that_was_refused_is_passed_on(self):
        self.get("/v2/catalog")
        BrokerCredential.objects.update(active=False)
        self.clock.now += 1
        assert self.status() == 401
        self.ask()
        assert len(self.passed_on) == 1


class MemoryTest(SimpleTestCase):
    def test_what_was_being_read_when_all_is_forgotten_is_not_kept(self):
        memory: Fresh[str] = Fresh()

        def read() -> str:
            Fresh.forget_all()
            return "outdated"

        assert memory.get("key", read) == "outdated"
        assert memory.find("key") is None
        assert memory.get("key", lambda: "new") == "new"

    def test_it_is_as_old_as_the_question(self):
        """Not as the answer: what takes long to read may be outdated already."""
        memory, clock = Fresh(), Clock()

        def read() -> str:
            clock.now += 0.6
            return "value"

        with mock.patch.object(fresh, "monotonic", clock):
            memory.get("key", read)
            clock.now += 0.3
            assert memory.find("key") == "value"
            clock.now += 0.2
            assert memory.find("key") is None

    def test_it_does_not_grow(self):
        memory: Fresh[int] = Fresh()
        for number in range(10 * fresh.MOST):
            memory.get(number, lambda: 1)
        assert len(memory._kept) <= fresh.MOST

    def test_what_fails_is_not_kept(self):
        memory: Fresh[str] = Fresh()
        with self.assertRaises(OSError):
            memory.get("key", mock.Mock(side_effect=OSError))
        assert memory.get("key", lambda: "value") == "value"
