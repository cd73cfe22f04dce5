"""What apps and checkers do with an instance's MariaDB."""

import threading
from typing import Any

import pymysql

from instances.encryption import decrypt
from tests.system.site import Site


class Writer:
    """An app that writes numbers whenever it can; use as a context manager."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        self._credentials = credentials
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[int] = []

    def __enter__(self) -> "Writer":
        with _connected(self._credentials) as session, session.cursor() as cursor:
            cursor.execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopping.set()
        self._thread.join()

    def missing(self) -> set[int]:
        """What the database has acknowledged and does not have."""
        with _connected(self._credentials) as session, session.cursor() as cursor:
            cursor.execute("SELECT n FROM numbers")
            return set(self.acknowledged) - {n for (n,) in cursor.fetchall()}

    def _write(self) -> None:
        number = 0
        while not self._stopping.is_set():
            try:
                with _connected(self._credentials) as session:
                    while not self._stopping.wait(0.005):
                        number += 1
                        with session.cursor() as cursor:
                            cursor.execute("INSERT INTO numbers VALUES (%s)", (number,))
                        self.acknowledged.append(number)
            except (pymysql.MySQLError, OSError):
                self._stopping.wait(0.02)


def _connected(credentials: dict[str, Any]) -> pymysql.Connection:
    """A login that waits for nothing longer than a few seconds."""
    return pymysql.connect(
        host=credentials["hostname"],
        port=credentials["port"],
        user=credentials["username"],
        password=credentials["password"],
        database=credentials["name"],
        autocommit=True,
        connect_timeout=2,
        read_timeout=5,
        write_timeout=5,
        ssl_disabled=True,
    )


def users(site: Site, guid: str) -> set[str]:
    """The users that the database itself has for bindings."""
    sql = (
        "SELECT l.number, c.admin_secret FROM instances_serviceinstance i"
        " JOIN instances_container c ON c.id = i.container_id"
        " JOIN instances_portlease l ON l.container_id = c.id WHERE i.guid = ?"
    )
    ((port, token),) = site.rows(sql, guid)
    connection = pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="brokersite",
        password=decrypt(token),
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT User FROM mysql.user WHERE User LIKE 'u%'")
        return {name for (name,) in cursor.fetchall()}
