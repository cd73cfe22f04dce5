"""Queries that are compiled once give what the ORM gives."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, models
from django.db.models.fields.related import ForeignKey
from django.test import TransactionTestCase

from instances.models import Operation, ServiceBinding, ServiceInstance
from instances.models.prepared import Prepared, Slot
from instances.models.service_instance import digest
from tests.fakes import drain, make_host, make_plan
from tests.instances.base import DomainTestCase, Wishes

RELATED = ("plan__offering", "container__host", "container__lease")


def values(row: models.Model) -> dict[str, Any]:
    """All columns, those of rows that were fetched with it included."""
    found: dict[str, Any] = {"database": row._state.db, "is new": row._state.adding}
    for field in row._meta.concrete_fields:
        found[field.attname] = getattr(row, field.attname)
        if isinstance(field, ForeignKey) and field.is_cached(row):
            related = field.get_cached_value(row)
            found[field.name] = related and values(related)
    return found


class RowsTest(DomainTestCase):
    def test_a_live_instance_is_as_the_orm_reads_it(self):
        self.provisioned("i-1")
        instance = self.provisioned("i-2")
        usual = ServiceInstance.objects.select_related(*RELATED).get(pk=instance.pk)
        found = ServiceInstance.objects.get_live("i-2")
        assert values(found) == values(usual)
        with self.assertNumQueries(0):
            assert found.container.lease.number == usual.container.lease.number
            assert found.container.admin_secret == usual.container.admin_secret != ""
            assert found.plan.offering.name and found.container.host.name

    def test_what_is_null_is_none(self):
        self.accept_provision("i-1")
        found = ServiceInstance.objects.get_live("i-1")
        with self.assertNumQueries(0):
            assert found.container is None

    def test_what_is_not_there_is_none(self):
        assert ServiceInstance.objects.find_live("i-1") is None
        assert ServiceInstance.objects.find_last("i-1") is None

    def test_each_time_it_is_read_anew(self):
        instance = self.provisioned("i-1")
        ServiceInstance.objects.get_live("i-1")
        ServiceInstance.objects.update(instance_name="renamed")
        assert ServiceInstance.objects.get_live("i-1").instance_name == "renamed"
        ServiceInstance.objects.filter(pk=instance.pk).update(live_key=None)
        assert ServiceInstance.objects.find_live("i-1") is None
        assert ServiceInstance.objects.find_last("i-1") == instance

    def test_of_two_gone_ones_it_is_the_last(self):
        for _ in range(2):
            last = self.provisioned("i-1")
            ServiceInstance.objects.update(live_key=None)
        found = ServiceInstance.objects.find_last("i-1")
        assert found == last
        with self.assertNumQueries(0):
            assert found.plan.offering_id and found.key

    def test_a_binding_and_its_operation(self):
        instance = self.provisioned("i-1")
        self.accept_bind(instance, "b-1")
        binding = ServiceBinding.objects.get_live(instance, "b-1")
        assert values(binding) == values(ServiceBinding.objects.get())
        operation = Operation.objects.find_under_way(binding)
        usual = Operation.objects.get(binding=binding)
        assert values(operation) == values(usual)
        # Its rows are fetched when they are asked for.
        assert operation.instance == instance and operation.binding == binding

    def test_an_exclusive_operation_is_seen_until_it_ends(self):
        instance = self.accept_provision("i-1")
        assert Operation.objects.excluding(instance)
        drain()
        assert not Operation.objects.excluding(instance)

    def test_an_id_is_a_value_and_no_part_of_a_statement(self):
        """S33."""
        self.provisioned("i-1")
        for guid in ("' OR 1=1 --", "%s", "%(key)s", "?", "x" * 10_000):
            assert ServiceInstance.objects.find_live(guid) is None

    def test_it_is_compiled_once(self):
        built = []

        def build() -> models.QuerySet:
            built.append(1)
            by_key = Slot("key", models.CharField())
            return ServiceInstance.objects.filter(key=by_key)

        query = Prepared(build)
        instance = self.provisioned("i-1")
        assert query.find(key=digest("i-1")) == query.find(key=digest("i-1"))
        assert query.rows(key=digest("i-1")) == [instance]
        assert query.rows(key=str(uuid.uuid4())) == []
        assert built == [1]

    def test_an_answer_can_be_read_while_another_is(self):
        """Each call has its own values: nothing is kept but the statement."""
        instances = [self.provisioned(f"i-{n}") for n in range(3)]
        found = [ServiceInstance.objects.find_live(f"i-{n}") for n in range(3)]
        assert found == instances


class ThreadsTest(Wishes, TransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_plan()
        make_host()

    def test_each_thread_asks_its_own_connection(self):
        self.provisioned("i-1")
        ServiceInstance.objects.get_live("i-1")
        used = []

        def note(run: Any, *rest: Any) -> Any:
            used.append(connection.connection)
            return run(*rest)

        def ask() -> str:
            try:
                with connection.execute_wrapper(note):
                    return ServiceInstance.objects.get_live("i-1").guid
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result() == "i-1"
        assert used and connection.connection not in used

    def test_it_goes_on_after_the_connection_was_lost(self):
        self.provisioned("i-1")
        ServiceInstance.objects.get_live("i-1")
        connection.close()
        assert ServiceInstance.objects.get_live("i-1").guid == "i-1"
