import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from django.test import TestCase

from brokersite.sqlite3 import base


class WaitingTest(TestCase):
    """Another process holds the write lock."""

    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "broker.sqlite3"
        other = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False
        )
        self.other = self.enterContext(closing(other))
        self.other.execute("CREATE TABLE log (line TEXT)")
        self.other.execute("BEGIN IMMEDIATE")

    def connect(self, *, timeout: float) -> Any:
        options = {"transaction_mode": "IMMEDIATE", "timeout": timeout}
        engine = "brokersite.sqlite3"
        database = {"ENGINE": engine, "NAME": self.path, "OPTIONS": options}
        connection = ConnectionHandler({"default": database})["default"]
        self.addCleanup(connection.close)
        connection.ensure_connection()
        return connection

    def begin(self, connection: Any) -> None:
        connection.set_autocommit(
            False, force_begin_transaction_with_broken_autocommit=True
        )

    def end_the_other(self, *_: object) -> None:
        self.other.execute("COMMIT")

    def test_a_transaction_begins_once_the_other_has_ended(self):
        connection = self.connect(timeout=20)
        with mock.patch.object(base.time, "sleep", self.end_the_other):
            self.begin(connection)
        assert not self.other.in_transaction
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            self.other.execute("PRAGMA busy_timeout = 0")
            self.other.execute("BEGIN IMMEDIATE")

    def test_it_does_not_wait_for_ever(self):
        with pytest.raises(OperationalError, match="locked"):
            self.begin(self.connect(timeout=0.02))

    def test_a_single_statement_still_waits(self):
        connection = self.connect(timeout=20)
        with mock.patch.object(base.time, "sleep", self.end_the_other):
            self.begin(connection)
        connection.rollback()
        self.other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.1, self.end_the_other).start()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO log VALUES ('waited')")
        assert not self.other.in_transaction
