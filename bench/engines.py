"""The floor under each engine's work: the fewest statements for the same result.

Each call is a fresh connection of the administrator, and knows nothing of what may
have gone before; the broker must expect half-made users and repeats.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import pymysql
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from instances.engines.redis import ALL_RIGHTS
from instances.engines.verifiers import (
    mysql_native_password,
    scram_sha_256,
    sha_256,
)

HOST = "127.0.0.1"
ADMINISTRATOR = "brokersite"
DATABASE, READER = "dbench", "rbench"
CONNECTIONS = 20
LIMIT_S = 10


@dataclass(frozen=True)
class Server:
    port: int
    secret: str
    """The administrator's password."""


class Engine(Protocol):
    unreachable: type[Exception]
    """What a server that does not answer yet is told by."""

    def session(self, server: Server) -> AbstractContextManager[Any]:
        """The administrator's, from here to the methods that take one."""

    def create_database(self, session: Any) -> None: ...

    def create_user(self, session: Any, name: str, password: str) -> None: ...

    def drop_user(self, session: Any, name: str) -> None: ...

    def app(self, login: dict[str, Any]) -> AbstractContextManager[Any]:
        """An app's session, with a binding's credentials."""

    def query(self, login: dict[str, Any]) -> None:
        """Log in as an app, and ask one query."""


class MariaDB:
    unreachable = pymysql.MySQLError

    @contextmanager
    def session(self, server: Server) -> Iterator[Any]:
        with _mysql(server.port, ADMINISTRATOR, server.secret) as cursor:
            yield cursor

    def create_database(self, session: Any) -> None:
        session.execute(f"CREATE DATABASE {DATABASE}")

    def create_user(self, session: Any, name: str, password: str) -> None:
        session.execute(
            f"CREATE USER {name} IDENTIFIED BY PASSWORD"
            f" '{mysql_native_password(password)}'"
            f" WITH MAX_USER_CONNECTIONS {CONNECTIONS}"
        )
        session.execute(f"GRANT ALL PRIVILEGES ON {DATABASE}.* TO {name}")

    def drop_user(self, session: Any, name: str) -> None:
        session.execute(f"KILL HARD CONNECTION USER {name}")
        session.execute(f"DROP USER {name}")

    def app(self, login: dict[str, Any]) -> AbstractContextManager[Any]:
        return _mysql(
            login["port"], login["username"], login["password"], login["database"]
        )

    def query(self, login: dict[str, Any]) -> None:
        with self.app(login) as cursor:
            cursor.execute("SELECT 1")


@contextmanager
def _mysql(port: int, user: str, password: str, database: str = "") -> Iterator[Any]:
    connection = pymysql.connect(
        host=HOST,
        port=port,
        user=user,
        password=password,
        database=database or None,
        connect_timeout=LIMIT_S,
        read_timeout=LIMIT_S,
        autocommit=True,
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


class Postgres:
    unreachable = psycopg.Error

    @contextmanager
    def session(self, server: Server) -> Iterator[Any]:
        with _postgres(server.port, ADMINISTRATOR, server.secret, "postgres") as found:
            yield found

    def create_database(self, session: Any) -> None:
        """The image's prepared one: CREATE DATABASE would take far longer."""
        session.execute(
            f"ALTER DATABASE prepared RENAME TO {DATABASE};"
            f"ALTER ROLE prepared RENAME TO {DATABASE};"
            f"ALTER ROLE prepared_reader RENAME TO {READER}"
        )

    def create_user(self, session: Any, name: str, password: str) -> None:
        session.execute(
            f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {CONNECTIONS}"
            f" PASSWORD '{scram_sha_256(password)}' IN ROLE {DATABASE};"
            f"ALTER ROLE {name} SET role = {DATABASE}"
        )

    def drop_user(self, session: Any, name: str) -> None:
        """Of a user that owns nothing: what it made belongs to the database's owner."""
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE usename = '{name}';"
            f"DROP ROLE {name}"
        )

    def app(self, login: dict[str, Any]) -> AbstractContextManager[Any]:
        return _postgres(
            login["port"], login["username"], login["password"], login["database"]
        )

    def query(self, login: dict[str, Any]) -> None:
        with self.app(login) as session:
            session.execute("SELECT 1")


@contextmanager
def _postgres(port: int, user: str, password: str, database: str) -> Iterator[Any]:
    with psycopg.connect(
        host=HOST,
        port=port,
        user=user,
        password=password,
        dbname=database,
        connect_timeout=LIMIT_S,
        sslmode="disable",
        gssencmode="disable",
        autocommit=True,
    ) as connection:
        yield connection


class Redis:
    unreachable = redis.RedisError

    @contextmanager
    def session(self, server: Server) -> Iterator[Any]:
        with _redis(server.port, ADMINISTRATOR, server.secret) as client:
            yield client

    def create_database(self, session: Any) -> None:
        session.execute_command("PING")

    def create_user(self, session: Any, name: str, password: str) -> None:
        rights = (*ALL_RIGHTS, f"#{sha_256(password)}", "on")
        session.execute_command("ACL SETUSER", name, *rights)
        session.execute_command("ACL SAVE")

    def drop_user(self, session: Any, name: str) -> None:
        session.execute_command("ACL DELUSER", name)
        session.execute_command("ACL SAVE")

    def app(self, login: dict[str, Any]) -> AbstractContextManager[Any]:
        return _redis(login["port"], login["username"], login["password"])

    def query(self, login: dict[str, Any]) -> None:
        with self.app(login) as client:
            client.execute_command("PING")


def _redis(port: int, user: str, password: str) -> redis.Redis:
    return redis.Redis(
        host=HOST,
        port=port,
        username=user,
        password=password,
        socket_timeout=LIMIT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )


ENGINES: dict[str, Engine] = {
    "mariadb": MariaDB(),
    "postgres": Postgres(),
    "redis": Redis(),
}
