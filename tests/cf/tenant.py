"""What apps do with the databases they are bound to."""

import threading
from typing import Any

import psycopg
import pymysql
import redis

Credentials = dict[str, Any]


def use(credentials: Credentials) -> None:
    """Log in, write and read back."""
    scheme = credentials["uri"].partition(":")[0]
    {"mysql": _use_mysql, "postgres": _use_postgres, "postgresql": _use_postgres}.get(
        scheme, _use_redis
    )(credentials)


def connect_mysql(credentials: Credentials) -> pymysql.Connection:
    return pymysql.connect(
        host=credentials["hostname"],
        port=credentials["port"],
        user=credentials["username"],
        password=credentials["password"],
        database=credentials["name"],
        autocommit=True,
        connect_timeout=5,
        ssl_disabled=True,
    )


def _use_mysql(credentials: Credentials) -> None:
    with connect_mysql(credentials) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS t (n INT)")
        cursor.execute("INSERT INTO t VALUES (42)")
        cursor.execute("SELECT n FROM t")
        assert cursor.fetchone() == (42,)


def _use_postgres(credentials: Credentials) -> None:
    with psycopg.connect(credentials["uri"], autocommit=True) as session:
        session.execute("CREATE TABLE IF NOT EXISTS t (n INT)")
        session.execute("INSERT INTO t VALUES (42)")
        assert session.execute("SELECT n FROM t").fetchone() == (42,)


def _use_redis(credentials: Credentials) -> None:
    session = redis.Redis(
        host=credentials["hostname"],
        port=credentials["port"],
        username=credentials["username"],
        password=credentials["password"],
        socket_timeout=5,
    )
    session.set("n", 42)
    assert session.get("n") == b"42"
    session.close()


class Writer:
    """An app that writes numbers all the time, whatever happens to the broker."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.acknowledged = 0
        self.error = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            with (
                connect_mysql(self._credentials) as session,
                session.cursor() as cursor,
            ):
                cursor.execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
                while not self._stopping.wait(0.02):
                    number = self.acknowledged + 1
                    cursor.execute("INSERT INTO numbers VALUES (%s)", (number,))
                    self.acknowledged = number
        except pymysql.MySQLError as error:
            self.error = str(error)

    def stop(self) -> int:
        """Return how many numbers were acknowledged and are not there."""
        self._stopping.set()
        self._thread.join()
        with connect_mysql(self._credentials) as session, session.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM numbers")
            return self.acknowledged - int(cursor.fetchone()[0])
