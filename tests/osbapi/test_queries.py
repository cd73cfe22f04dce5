"""What a request costs the broker's database: counted, so that it does not grow."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext

from instances.models import ServicePlan
from instances.operations.standby import Standbys
from tests.osbapi.base import IDS, Platform

WRITES = ("INSERT", "UPDATE", "DELETE")


class QueriesTest(Platform, TransactionTestCase):
    def cost(self, request: Callable[[], Any]) -> tuple[int, int]:
        """Statements, those that begin and end transactions apart, and commits."""
        with CaptureQueriesContext(connection) as captured:
            assert request().status_code in (200, 201)
        statements = commits = depth = 0
        for query in captured:
            verb = query["sql"].split()[0]
            depth += (verb == "BEGIN") - (verb == "COMMIT")
            commits += verb == "COMMIT" or (verb in WRITES and not depth)
            statements += verb in ("SELECT", *WRITES)
        return statements, commits

    def test_a_bind_commits_before_it_acts_and_after(self):
        self.ready()
        self.bind("b-1")
        assert self.cost(lambda: self.bind("b-2")) == (11, 2)

    def test_an_unbind_commits_before_it_acts_and_after(self):
        self.ready()
        self.bind()
        assert self.cost(self.unbind) == (11, 2)

    def test_reading_writes_nothing(self):
        self.ready()
        self.bind()
        self.get("/v2/catalog")
        assert self.cost(lambda: self.get("/v2/catalog")) == (3, 0)
        assert self.cost(lambda: self.get(self.path("i-1", False))) == (2, 0)
        assert self.cost(lambda: self.get(self.binding_path("b-1", "i-1"))) == (3, 0)
        assert self.cost(lambda: self.poll(**IDS)) == (3, 0)

    def test_a_standby_is_adopted_with_a_commit_before_and_one_after(self):
        ServicePlan.objects.update(standby=1)
        Standbys().replenish()
        assert self.cost(self.put) == (17, 2)
