"""MariaDB, offered under MySQL's name too."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from instances import errors
from instances.engines.base import Endpoint, User

ADMINISTRATOR = "brokersite"
CONNECT_LIMIT_S = 5
ANSWER_LIMIT_S = 10
SESSIONS_LIMIT_S = 5.0

_OUR_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")


class MariaDB:
    name = "mariadb"
    port = 3306

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_HASH": _verifier(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as cursor:
            cursor.execute("SELECT 1")

    def create_database(self, endpoint: Endpoint, name: str) -> None:
        with _session(endpoint) as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {_identifier(name)}")

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        account = _account(user.name)
        verifier = _verifier(user.password)
        with _session(endpoint) as cursor:
            cursor.execute(f"CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK")
            cursor.execute(
                f"GRANT ALL PRIVILEGES ON {_identifier(user.database)}.* TO {account}"
            )
            # Last and at once, so that a half-made user cannot log in.
            cursor.execute(
                f"ALTER USER {account} IDENTIFIED BY PASSWORD '{verifier}'"
                f" WITH MAX_USER_CONNECTIONS {int(user.connections)} ACCOUNT UNLOCK"
            )

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        account = _account(name)
        deadline = time.monotonic() + SESSIONS_LIMIT_S
        with _session(endpoint) as cursor:
            # Locked first: else it could log in again between KILL and DROP.
            cursor.execute(f"ALTER USER IF EXISTS {account} ACCOUNT LOCK")
            while self._has_sessions(cursor, name):
                if time.monotonic() > deadline:
                    raise errors.EngineUnreachable(
                        detail=f"sessions of {name} do not end"
                    )
                cursor.execute(f"KILL HARD CONNECTION USER {account}")
                time.sleep(0.01)
            cursor.execute(f"DROP USER IF EXISTS {account}")

    def _has_sessions(self, cursor: Cursor, name: str) -> bool:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s",
            (name,),
        )
        row = cursor.fetchone()
        return bool(row and row[0])

    def credentials(self, host: str, port: int, user: User) -> dict[str, Any]:
        """The keys of the 2014 broker, and those that buildpacks look for."""
        address = f"{host}:{port}/{user.database}"
        jdbc = f"jdbc:mysql://{address}?user={user.name}&password={user.password}"
        return {
            "uri": f"mysql://{user.name}:{user.password}@{address}",
            "jdbcurl": jdbc,
            "jdbcUrl": jdbc,
            "name": user.database,
            "database": user.database,
            "host": host,
            "hostname": host,
            "port": port,
            "user": user.name,
            "username": user.name,
            "password": user.password,
        }


@contextmanager
def _session(endpoint: Endpoint) -> Iterator[Cursor]:
    """A cursor of the administrator; the driver's errors become ours."""
    try:
        connection = pymysql.connect(
            host=endpoint.host,
            port=endpoint.port,
            user=ADMINISTRATOR,
            password=endpoint.admin_secret,
            connect_timeout=CONNECT_LIMIT_S,
            read_timeout=ANSWER_LIMIT_S,
            write_timeout=ANSWER_LIMIT_S,
            autocommit=True,
            # pymysql else parses the CA bundle at every connect: 20 ms (FACTS §2).
            ssl_disabled=True,
        )
        with connection, connection.cursor() as cursor:
            yield cursor
    except (pymysql.MySQLError, OSError) as error:
        raise errors.EngineUnreachable(
            detail=f"MariaDB at {endpoint.host}:{endpoint.port}: {error}"
        ) from error


def _verifier(password: str) -> str:
    """What mysql_native_password stores: it proves a password, and is none."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _identifier(name: str) -> str:
    """Quote a name of ours; identifiers cannot be parameters (SECURITY S33)."""
    if not _OUR_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name that this broker makes")
    return f"`{name}`"


def _account(name: str) -> str:
    return f"{_identifier(name)}@'%'"
