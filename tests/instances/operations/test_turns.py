"""Threads of one process take turns at SQLite's lock; nothing depends on it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

from instances.models import Broker
from instances.operations import turns
from instances.operations.turns import recording


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others lock rows")
class TurnsTest(TransactionTestCase):
    def setUp(self) -> None:
        Broker.this()
        self.pool = self.enterContext(ThreadPoolExecutor(1))

    def record(self, limit: int, begun: Event) -> None:
        try:
            with recording():
                begun.set()
                Broker.objects.update(instance_limit=limit)
        finally:
            connection.close()

    def test_the_next_begins_when_the_first_has_ended(self):
        begun = Event()
        with recording():
            following = self.pool.submit(self.record, 2, begun)
            assert not begun.wait(0.1)
            Broker.objects.update(instance_limit=1)
        following.result(timeout=10)
        assert Broker.objects.get().instance_limit == 2

    def test_whoever_gets_no_turn_goes_on_without_and_takes_none_away(self):
        with turns._turn, mock.patch.object(turns, "LONGEST_WAIT_S", 0):
            self.pool.submit(self.record, 3, Event()).result(timeout=10)
            assert turns._turn.locked()
        assert Broker.objects.get().instance_limit == 3

    def test_inside_another_transaction_nothing_is_waited_for(self):
        """That one may be the one that the holder of the turn waits for."""
        with turns._turn, transaction.atomic(), recording():
            Broker.objects.update(instance_limit=4)
        with recording(), recording():
            Broker.objects.update(instance_limit=5)
        assert Broker.objects.get().instance_limit == 5

    def test_after_a_failure_it_is_the_next_one_s_turn(self):
        with self.assertRaises(ZeroDivisionError), recording():
            Broker.objects.update(instance_limit=6)
            raise ZeroDivisionError
        assert not turns._turn.locked()
        assert Broker.objects.get().instance_limit is None
        self.pool.submit(self.record, 7, Event()).result(timeout=10)

    def test_another_database_is_left_to_its_own_locks(self):
        with turns._turn, mock.patch.object(connection, "vendor", "postgresql"):
            with recording():
                Broker.objects.update(instance_limit=8)
            assert turns._turn.locked()
