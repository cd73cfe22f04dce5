"""The seeded rows, and that the console asks no more for more of them."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from bench.console import PAGES
from bench.seeded_rows import seed
from instances.models import (
    Backup,
    Broker,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
)
from tests.fakes import make_plan

FEW, MANY = 120, 400
MOST = 50
"""Queries of a page: sessions, permissions and counts included."""


class SeedingTest(TestCase):
    def setUp(self) -> None:
        Broker.this()

    def test_each_instance_has_what_belongs_to_it(self):
        make_plan()
        seed(7)
        models = (ServiceInstance, PortLease, ServiceBinding, Operation, Backup)
        assert [model.objects.count() for model in models] == [7, 7, 14, 35, 4]
        ages = ServiceInstance.objects.dates("created_at", "day")
        assert len(ages) > 1

    def test_there_have_to_be_plans(self):
        with pytest.raises(ValueError, match="bootstrap"):
            seed(1)

    def test_a_second_time_is_refused(self):
        make_plan()
        seed(1)
        with pytest.raises(ValueError, match="before"):
            seed(1)


class QueriesTest(TestCase):
    """Of each page that the bench measures."""

    def counts(self) -> dict[str, int]:
        found = {}
        instance = ServiceInstance.objects.get(instance_name__endswith="-00000")
        for name, path in PAGES.items():
            with CaptureQueriesContext(connection) as queries:
                url = path.format(pk=instance.pk, guid=instance.guid)
                response = self.client.get(url.replace("?p=50", "?p=1"))
            assert response.status_code == 200, name
            found[name] = len(queries)
        return found

    def test_a_page_asks_no_more_for_more_rows(self):
        Broker.this()
        make_plan()
        user = get_user_model().objects.create_superuser("olga", password="x")
        self.client.force_login(user)
        self.client.get(PAGES["audit log"])  # which notes that the session is used
        with transaction.atomic():
            seed(FEW)
            self.counts()  # what is looked up once in a process
            few = self.counts()
            transaction.set_rollback(True)
        seed(MANY)
        assert self.counts() == few
        assert max(few.values()) <= MOST, few
