"""How many statements a request costs: so that it does not grow unseen.

The login is one, and is spared by a process that has let the platform in a moment ago.
"""

from contextlib import contextmanager
from unittest import mock

from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext

from osbapi import fresh
from osbapi.fresh import Fresh
from tests.fakes import drain, make_host
from tests.osbapi.base import IDS, Platform

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class StatementsTest(Platform, TransactionTestCase):
    """Not inside a test's own transaction: commits are counted too."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(fresh, "FRESH_S", 3600.0))
        Fresh.forget_all()
        self.addCleanup(Fresh.forget_all)
        self.ready()
        self.get("/v2/catalog")

    @contextmanager
    def costs(self, *, statements: int, commits: int):
        with CaptureQueriesContext(connection) as queries:
            yield
        texts = [query["sql"] for query in queries]
        assert not [text for text in texts if "SAVEPOINT" in text]
        found = [text for text in texts if text.startswith(VERBS)]
        committed = [text for text in texts if text.startswith("COMMIT")]
        asked = "\n".join(text[:150] for text in texts)
        assert (len(found), len(committed)) == (statements, commits), asked

    def test_the_catalog(self):
        with self.costs(statements=0, commits=0):
            self.get("/v2/catalog")

    def test_a_poll(self):
        """Cloud Controller names no operation if it was given none."""
        with self.costs(statements=2, commits=0):
            self.poll(**IDS)
        operation = self.put("i-2").json()["operation"]
        with self.costs(statements=2, commits=0):
            self.poll("i-2", operation=operation)

    def test_a_fetch(self):
        self.bind()
        with self.costs(statements=1, commits=0):
            self.get("/v2/service_instances/i-1")
        with self.costs(statements=2, commits=0):
            self.get("/v2/service_instances/i-1/service_bindings/b-1")

    def test_a_bind(self):
        """The wish and its outcome: two commits, whatever they hold."""
        with self.costs(statements=10, commits=2):
            assert self.bind().status_code == 201

    def test_the_same_bind_again(self):
        self.bind()
        with self.costs(statements=3, commits=1):
            assert self.bind().status_code == 200

    def test_an_unbind(self):
        self.bind()
        with self.costs(statements=10, commits=2):
            assert self.unbind().status_code == 200

    def test_a_provision(self):
        with self.costs(statements=12, commits=1):
            assert self.put("i-2").status_code == 202

    def test_a_second_host_costs_a_bind_nothing(self):
        make_host("two")
        drain()
        with self.costs(statements=10, commits=2):
            self.bind()
