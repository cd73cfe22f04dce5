"""Migrate the broker's own database, one process at a time and to the end.

Any number of processes may start at once: the first one holds a lock in the database
while the others wait. What a killed one has left half done is gone on with.
"""

import fcntl
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

logger = logging.getLogger(__name__)

WAIT_LIMIT_S = 900.0
POLL_S = 0.2
REPORT_EVERY_S = 10.0
LOCK = "brokersite migrates"
MARKER = "brokersite_migration_under_way"
THERE_ALREADY = {1050, 1060, 1061, 1022, 1826, 1005}
"""MySQL: a table, column, index or constraint of that name is there."""


@contextmanager
def alone() -> Iterator[None]:
    """Run the body while no other process runs it on this database.

    Raise CommandError after a quarter of an hour. No time-out of the web's ends what
    takes long in there.
    """
    with _patient(), _waiting_for(_LOCKS[connection.vendor]()):
        yield


def migrate() -> None:
    """Bring the schema up to date. Belongs into alone(). Raise CommandError."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if connection.vendor == "mysql":
        _refuse_few_characters()
        with _resuming():
            call_command("migrate", interactive=False, verbosity=0)
    else:
        # All of a migration is one transaction there.
        call_command("migrate", interactive=False, verbosity=0)


def _refuse_few_characters() -> None:
    """Tables take over the database's character set. Raise CommandError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_database, DATABASE()")
        characters, name = cursor.fetchone()
    if characters != "utf8mb4":
        raise CommandError(
            f"The database's character set is {characters}, which lacks characters "
            f"that platforms send: ALTER DATABASE {name} CHARACTER SET utf8mb4"
        )


@contextmanager
def _patient() -> Iterator[None]:
    """A connection without the limits that are set for requests."""
    options = connection.settings_dict["OPTIONS"]
    impatient = dict(options)
    connection.close()
    for name in ("read_timeout", "write_timeout", "options"):
        options.pop(name, None)
    if connection.vendor == "mysql":
        options["init_command"] = (
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
        )
    try:
        yield
    finally:
        connection.close()
        options.clear()
        options.update(impatient)


@contextmanager
def _waiting_for(lock: "Lock") -> Iterator[None]:
    began_at = reported_at = time.monotonic()
    while not lock.take():
        now = time.monotonic()
        if now - began_at > WAIT_LIMIT_S:
            raise CommandError(
                f"Another process has been migrating for {WAIT_LIMIT_S:.0f} s. If none "
                "is, a connection that has died holds the lock: end it in the database."
            )
        if now - reported_at > REPORT_EVERY_S:
            reported_at = now
            logger.warning("waiting for another process that migrates")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        lock.give_back()


class Lock:
    """Held by the connection: it is free as soon as the process is dead."""

    take_sql = give_back_sql = ""

    def take(self) -> bool:
        return bool(self._ask(self.take_sql))

    def give_back(self) -> None:
        self._ask(self.give_back_sql)

    def key(self) -> Any:
        return LOCK

    def _ask(self, sql: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql, [self.key()])
            return cursor.fetchone()[0]


class MySQLLock(Lock):
    # Names are the server's, not the database's, and at most 64 characters long.
    take_sql, give_back_sql = "SELECT GET_LOCK(%s, 1)", "SELECT RELEASE_LOCK(%s)"

    def key(self) -> str:
        name = str(connection.settings_dict["NAME"])
        return f"{LOCK} {hashlib.sha256(name.encode()).hexdigest()[:32]}"


class PostgreSQLLock(Lock):
    take_sql = "SELECT pg_try_advisory_lock(%s)"
    give_back_sql = "SELECT pg_advisory_unlock(%s)"

    def key(self) -> int:
        return int.from_bytes(hashlib.sha256(LOCK.encode()).digest()[:4])


class FileLock(Lock):
    """For SQLite: its own lock ends with each transaction."""

    def __init__(self) -> None:
        path = Path(f"{connection.settings_dict['NAME']}.migrating")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("w")

    def take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        self._file.close()


_LOCKS: dict[str, Callable[[], Lock]] = {
    "mysql": MySQLLock,
    "postgresql": PostgreSQLLock,
    "sqlite": FileLock,
}


@contextmanager
def _resuming() -> Iterator[None]:
    """Go on with migrations that a killed process has left half done (F123).

    MySQL commits each statement that changes the schema, all of it or nothing. The
    marker says that a migration was under way: it is made from its beginning, and what
    is there already stays. Without a marker, what is there is not ours.
    """
    with connection.cursor() as cursor:
        was_cut_short = MARKER in connection.introspection.table_names(cursor)
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARKER} (at DATETIME)")
    editor = connection.SchemaEditorClass
    if was_cut_short:
        logger.warning("going on with a migration that was interrupted")
        connection.SchemaEditorClass = _lenient(editor)
    try:
        yield
    finally:
        connection.SchemaEditorClass = editor
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {MARKER}")


def _lenient(editor: Any) -> Any:
    class Lenient(editor):
        def execute(self, sql: Any, params: Any = ()) -> None:
            try:
                super().execute(sql, params)
            except (OperationalError, ProgrammingError) as error:
                if not (error.args and error.args[0] in THERE_ALREADY):
                    raise
                logger.info("is there already: %s", error)

    return Lenient
