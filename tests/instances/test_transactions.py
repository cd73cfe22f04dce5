"""Transactions that the database undoes are made again, whole; others are not."""

from contextlib import suppress
from typing import Any
from unittest import mock

import psycopg
import pymysql
import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test import TestCase, TransactionTestCase

from instances import transactions
from instances.models import Operation, Worker
from instances.operations import provision
from instances.operations.execution import run
from instances.transactions import is_lost, is_undone, repeated
from tests.fakes import claim, make_host, make_plan
from tests.instances.base import Wishes


def undone() -> DatabaseError:
    """As this database says it."""
    error = OperationalError("database is locked")
    if connection.vendor == "mysql":
        error = OperationalError(1213, "Deadlock found when trying to get lock")
    elif connection.vendor == "postgresql":
        error.__cause__ = psycopg.errors.DeadlockDetected()
    return error


def lost() -> DatabaseError:
    if connection.vendor == "postgresql":
        error = OperationalError("terminating connection")
        error.__cause__ = psycopg.errors.AdminShutdown()
        return error
    return OperationalError(2013, "Lost connection to MySQL server during query")


class MeaningTest(TestCase):
    def as_vendor(self, vendor: str) -> Any:
        return mock.patch.object(type(connections["default"]), "vendor", vendor)

    def test_deadlocks_and_waits_of_mysql(self):
        with self.as_vendor("mysql"):
            for number in (1205, 1213):
                assert is_undone(OperationalError(number, "x"))
            for number in (1045, 1062, 2013):
                assert not is_undone(OperationalError(number, "x"))
            for number in (0, 2006, 2013):
                assert is_lost(OperationalError(number, "x"))
            assert is_lost(InterfaceError(0, ""))
            assert not is_lost(OperationalError(1213, "x"))

    def test_the_numbers_are_the_drivers(self):
        er = pymysql.constants.ER
        assert {er.LOCK_DEADLOCK, er.LOCK_WAIT_TIMEOUT} == transactions._UNDONE_NUMBERS

    def test_deadlocks_and_serialization_failures_of_postgresql(self):
        with self.as_vendor("postgresql"):
            for kind, answer in (
                (psycopg.errors.DeadlockDetected, True),
                (psycopg.errors.SerializationFailure, True),
                (psycopg.errors.LockNotAvailable, True),
                (psycopg.errors.UniqueViolation, False),
            ):
                error = OperationalError()
                error.__cause__ = kind()
                assert is_undone(error) is answer
            error.__cause__ = psycopg.errors.AdminShutdown()
            assert is_lost(error) and not is_undone(error)

    def test_a_broken_rule_is_neither(self):
        assert not is_undone(IntegrityError(1062, "x"))
        assert not is_lost(IntegrityError(1062, "x"))


class RepeatedTest(TransactionTestCase):
    def setUp(self) -> None:
        self.enterContext(mock.patch("instances.transactions.time.sleep"))

    def test_it_is_made_again_until_it_is_not_undone(self):
        """F118."""
        body = mock.Mock(side_effect=[undone(), undone(), 7], __name__="body")
        assert repeated(body)(1, x=2) == 7
        assert body.mock_calls == [mock.call(1, x=2)] * 3

    def test_five_more_times_and_no_longer(self):
        body = mock.Mock(side_effect=undone(), __name__="body")
        with pytest.raises(OperationalError):
            repeated(body)()
        assert body.call_count == 6

    def test_not_for_longer_than_somebody_waits(self):
        body = mock.Mock(side_effect=undone(), __name__="body")
        clock = mock.patch(
            "instances.transactions.time.monotonic", side_effect=[0, 1, 21]
        )
        with clock, pytest.raises(OperationalError):
            repeated(body)()
        assert body.call_count == 2

    def test_inside_another_transaction_it_is_not(self):
        """What came before it is undone as well."""
        body = mock.Mock(side_effect=undone(), __name__="body")
        with suppress(OperationalError), transaction.atomic():
            repeated(body)()
        assert body.call_count == 1

    def test_a_lost_commit_is_not_made_again(self):
        """F117: it may have happened."""
        body = mock.Mock(side_effect=lost(), __name__="body")
        with pytest.raises(OperationalError):
            repeated(body)()
        assert body.call_count == 1

    def test_nothing_of_an_undone_one_stays(self):
        tries = []

        @repeated
        def body() -> None:
            with transaction.atomic():
                Worker.objects.beat(f"w-{len(tries)}")
                tries.append(1)
                if len(tries) < 3:
                    raise undone()

        body()
        assert [row.name for row in Worker.objects.all()] == ["w-2"]


class AttemptTest(Wishes, TransactionTestCase):
    """An attempt at an operation, with the database in the way."""

    def setUp(self) -> None:
        super().setUp()
        make_plan()
        make_host()
        self.enterContext(mock.patch("instances.transactions.time.sleep"))
        if connection.vendor == "sqlite":
            # A file is never lost: as if it could be.
            seems_lost = mock.Mock(side_effect=lambda error: "Lost" in str(error))
            self.enterContext(mock.patch("instances.transactions.is_lost", seems_lost))
        self.instance = self.accept_provision()
        self.operation = claim(self.instance.operations.get())

    def failing(self, error: DatabaseError, *, after: bool, nth: int = 1) -> Any:
        """Let the nth commit from now fail, or succeed without an answer."""
        commit, count = connection.connection.commit, []

        def fail() -> None:
            count.append(1)
            if len(count) != nth:
                return commit()
            if after:
                commit()
            raise error

        return mock.patch.object(connection, "_commit", fail)

    def settled(self) -> Operation:
        row = Operation.objects.get(pk=self.operation.pk)
        assert row.state == "succeeded", row.detail
        assert row.attempts == 1
        self.instance.refresh_from_db()
        assert self.instance.state == "ready"
        assert len(self.world.containers()) == 1
        return row

    def test_whichever_commit_is_undone_it_goes_on(self):
        """F118."""
        for nth in (1, 2):
            with self.subTest(nth):
                with self.failing(undone(), after=False, nth=nth):
                    run(self.operation)
                self.settled()
            self.tearDown()
            self._fixture_teardown()
            self.setUp()

    def test_a_commit_without_an_answer_is_read_again(self):
        """F117: the last one has happened, and the operation has succeeded."""
        with self.failing(lost(), after=True, nth=2):
            run(self.operation)
        row = self.settled()
        # Not made twice.
        assert [step["text"] for step in row.steps].count("creating the database") == 1
        assert self.faults.calls.count("create_database") == 1

    def test_a_server_that_starts_again_is_waited_for(self):
        """F117: it is asked what became of the commit only once it answers."""
        still_away = [lost(), lost(), True]
        asked = mock.patch.object(Operation, "is_still_to_do", side_effect=still_away)
        with self.failing(lost(), after=False, nth=2), asked as asking:
            run(self.operation)
        assert asking.call_count == 3
        self.settled()
        pauses = [call.args[0] for call in transactions.time.sleep.call_args_list]
        assert pauses == list(transactions.RESTART_PAUSES_S[:3])

    def test_a_commit_that_was_lost_is_made_again(self):
        """F117: and this one has not."""
        with self.failing(lost(), after=False, nth=2):
            run(self.operation)
        self.settled()
        assert self.faults.calls.count("create_database") == 2

    def test_what_was_cancelled_meanwhile_is_cleaned_up(self):
        deprovision = mock.Mock(
            side_effect=lambda: self.accept_deprovision(self.instance)
        )
        self.faults.on("create_database", deprovision)
        self.faults.on("create_database", undone(), moment="after")
        run(self.operation)
        assert deprovision.call_count == 1
        assert Operation.objects.get(pk=self.operation.pk).state == "cancelled"
        assert self.world.containers() == [] or self.instance.container_id is not None

    def test_an_undone_wish_is_recorded_once(self):
        find, answers = provision.get_plan, [undone(), undone()]

        def undo_twice(*arguments: str) -> Any:
            if answers:
                raise answers.pop()
            return find(*arguments)

        with mock.patch.object(provision, "get_plan", undo_twice):
            instance = self.accept_provision("i-2")
        assert instance.operations.count() == 1

    def test_a_database_that_stays_away_leaves_it_to_others(self):
        with (
            mock.patch.object(Operation, "is_still_to_do", side_effect=lost()),
            self.failing(lost(), after=False),
            pytest.raises(OperationalError),
        ):
            run(self.operation)
        row = Operation.objects.get(pk=self.operation.pk)
        assert row.state == "running"
