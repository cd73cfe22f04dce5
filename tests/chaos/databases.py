"""The broker's own database: SQLite, or a server that is killed and frozen, too.

The servers' data is on a disk, and a commit is only acknowledged when it is there: what
is lost after a kill was lost by the broker.
"""

import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

import docker
import psycopg
import pymysql

from tests.databases.server import KINDS, _image
from tests.ports import free_port
from tests.system.site import wait_for

PATIENCE_S = 60
NAME = "brokersite"


class SQLite:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "brokersite.sqlite3"
        self.environment = {"DATABASE_PATH": str(self._path)}

    def __enter__(self) -> "SQLite":
        return self

    def __exit__(self, *_: Any) -> None:
        """The folder goes as a whole."""

    def rows(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def trouble(self, seconds: float, *, is_kill: bool) -> str:
        """Hold the one lock that there is, as a process does that is stopped."""
        line = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        line.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        line.execute("ROLLBACK")
        line.close()
        return f"writer's lock held for {seconds:.0f} s"

    def damage(self) -> list[str]:
        found = [
            row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"
        ]
        keys = self.rows("PRAGMA foreign_key_check")
        return [*found, *(f"foreign key: {row}" for row in keys)]


class Server:
    """A container of the product's image, in the machine's own Docker Engine."""

    def __init__(self, name: str) -> None:
        self.name, self._kind = name, KINDS[name]
        self._password = secrets.token_hex(16)
        self._port = free_port()
        login = f"brokersite:{self._password}"
        address = f"{self._kind.scheme}://{login}@127.0.0.1:{self._port}"
        self.environment = {"DATABASE_URI": f"{address}/{NAME}?sslmode=disable"}

    def __enter__(self) -> "Server":
        verifier = self._kind.environment(self._password, is_durable=True)
        is_mariadb = self.name == "mariadb"
        more = (
            ["--max-connections=200"] if is_mariadb else ["-c", "max_connections=200"]
        )
        self._container = docker.from_env().containers.run(
            _image(self._kind),
            more,
            environment=verifier,
            ports={self._kind.port: ("127.0.0.1", self._port)},
            labels={"brokersite.tests": "database"},
            detach=True,
        )
        try:
            first = "mysql" if is_mariadb else "postgres"
            self._wait(first)
            self._run(first, f"CREATE DATABASE {NAME}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self._container.remove(force=True, v=True)

    def rows(self, sql: str) -> list[Any]:
        return self._run(NAME, sql)

    def trouble(self, seconds: float, *, is_kill: bool) -> str:
        if is_kill:
            self._container.kill()
            self._container.start()
            self._wait(NAME)
            return "killed with -9 and started"
        self._container.pause()
        time.sleep(seconds)
        self._container.unpause()
        return f"frozen for {seconds:.0f} s"

    def damage(self) -> list[str]:
        if self.name != "mariadb":
            return self._torn_indexes()
        tables = ", ".join(f"`{row[0]}`" for row in self.rows("SHOW TABLES"))
        found = self.rows(f"CHECK TABLE {tables}")
        return [
            str(row)
            for row in found
            if row[3] not in ("OK", "Table is already up to date")
        ]

    def _torn_indexes(self) -> list[str]:
        """Each row of each table is where its indexes say, and nowhere else."""
        self.rows("CREATE EXTENSION IF NOT EXISTS amcheck")
        try:
            self.rows(
                "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i"
                " JOIN pg_class c ON c.oid = i.indexrelid"
                " JOIN pg_am a ON a.oid = c.relam"
                " WHERE a.amname = 'btree' AND c.relpersistence <> 't'"
                " AND c.relnamespace = 'public'::regnamespace"
            )
        except psycopg.Error as error:
            return [str(error)]
        return []

    def _wait(self, database: str) -> None:
        def answers() -> bool:
            try:
                return bool(self._run(database, "SELECT 1"))
            except (pymysql.OperationalError, psycopg.OperationalError):
                return False

        wait_for(answers, f"{self.name} to answer", limit_s=PATIENCE_S)

    def _run(self, database: str, sql: str) -> list[Any]:
        where = {"host": "127.0.0.1", "port": self._port, "user": "brokersite"}
        line: Any
        if self.name == "mariadb":
            line = pymysql.connect(
                **where, password=self._password, database=database, autocommit=True
            )
        else:
            line = psycopg.connect(
                **where, password=self._password, dbname=database, autocommit=True
            )
        try:
            cursor = line.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            line.close()


Database = SQLite | Server


def database(name: str, folder: Path) -> Database:
    return SQLite(folder) if name == "sqlite" else Server(name)
