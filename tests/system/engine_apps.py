"""Apps of each engine, as a crash test needs them: they write a number down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
import redis


class App(Protocol):
    """What is done with the credentials of a binding."""

    def open(self) -> None: ...

    def add(self, number: int) -> None: ...

    def numbers(self) -> list[int]: ...

    def is_let_in(self) -> bool: ...

    def extras(self) -> list[str]:
        """What a witness would look like that was left behind."""


class PostgresApp:
    def __init__(self, credentials: dict[str, Any]) -> None:
        self._credentials = credentials

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        given = self._credentials
        with psycopg.connect(
            host=given["hostname"],
            port=given["port"],
            user=given["username"],
            password=given["password"],
            dbname=given["name"],
            autocommit=True,
            connect_timeout=5,
        ) as session:
            yield session

    def _run(self, statement: str) -> list[tuple[Any, ...]]:
        with self._session() as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def open(self) -> None:
        self._run("CREATE TABLE facts (n INT)")

    def add(self, number: int) -> None:
        self._run(f"INSERT INTO facts VALUES ({number})")

    def numbers(self) -> list[int]:
        return [n for (n,) in self._run("SELECT n FROM facts ORDER BY n")]

    def is_let_in(self) -> bool:
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                return False
            raise
        return True

    def extras(self) -> list[str]:
        rows = self._run(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%brokersite%'"
        )
        return [name for (name,) in rows]


class RedisApp:
    def __init__(self, credentials: dict[str, Any]) -> None:
        self._credentials = credentials

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        given = self._credentials
        client = redis.Redis(
            host=given["hostname"],
            port=given["port"],
            username=given["username"],
            password=given["password"],
            decode_responses=True,
            socket_timeout=5,
        )
        try:
            return question(client)
        finally:
            client.close()

    def open(self) -> None:
        """There is nothing to make."""

    def add(self, number: int) -> None:
        self._ask(lambda client: client.rpush("facts", number))

    def numbers(self) -> list[int]:
        found = self._ask(lambda client: client.lrange("facts", 0, -1))
        return sorted(int(number) for number in found)

    def is_let_in(self) -> bool:
        try:
            return bool(self._ask(lambda client: client.ping()))
        except redis.AuthenticationError:
            return False

    def extras(self) -> list[str]:
        keys = self._ask(lambda client: client.keys("*"))
        return [key for key in keys if key != "facts"]


APPS: dict[str, Callable[[dict[str, Any]], App]] = {
    "postgres": PostgresApp,
    "redis": RedisApp,
}
