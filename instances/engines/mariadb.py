"""MariaDB, offered under MySQL's name too."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from instances import errors
from instances.engines import parameters as fields
from instances.engines.base import (
    Endpoint,
    Engine,
    User,
    binding_users,
    counted,
    our_name,
    our_witness,
    relational_credentials,
    sessions_of,
)
from instances.engines.mariadb_inventory import WITNESS_TABLE, inventory_of
from instances.engines.mariadb_parameters import SCHEMA
from instances.engines.verifiers import mysql_native_password

ADMINISTRATOR = "brokersite"
CONNECT_LIMIT_S = 5
ANSWER_LIMIT_S = 10
SESSIONS_LIMIT_S = 5.0
LOCKS_LIMIT_S = 2
"""How long statements and LOCK TABLES of tenants may hold up a switch to read-only."""
HOME = "/var/lib/mysql"
SETTINGS_PATH = f"{HOME}/data/.applied"
"""Where the image lets the server write (secure-file-priv)."""


class MariaDB:
    name = "mariadb"
    port = 3306
    data_path = f"{HOME}/data"
    incoming_path = f"{HOME}/incoming"
    create_schema = SCHEMA
    update_schema = SCHEMA
    bind_schema = fields.BIND_SCHEMA

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        fields.check(SCHEMA, parameters)
        charset, collation = parameters.get("charset"), parameters.get("collation")
        if charset and collation and not collation.startswith(f"{charset}_"):
            raise errors.InvalidRequest(
                f"parameters: collation {collation} is not one of charset {charset}; "
                "give both."
            )

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_HASH": mysql_native_password(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as cursor:
            cursor.execute("SELECT 1")

    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        verifier = mysql_native_password(secret)
        with _session(endpoint) as cursor:
            cursor.execute(
                f"ALTER USER {_account(ADMINISTRATOR)}"
                f" IDENTIFIED BY PASSWORD '{verifier}'"
            )

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        self.check_parameters(parameters)
        with _session(endpoint) as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {_identifier(name)}")
            _apply(cursor, name, parameters)
        return False

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        self.check_parameters(parameters)
        with _session(endpoint) as cursor:
            _apply(cursor, name, parameters)
        return False

    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        with _session(endpoint) as cursor:
            cursor.execute(_SETTINGS, (our_name(name),))
            row = cursor.fetchone() or ()
        return dict(zip(_RESTORED, row, strict=True))

    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        """As bound values, where they may be others than a platform can choose."""
        with _session(endpoint) as cursor:
            cursor.execute(
                f"ALTER DATABASE {_identifier(name)} COLLATE %s", (former["collation"],)
            )
            for variable in ("max_connections", "sql_mode"):
                cursor.execute(f"SET GLOBAL {variable} = %s", (former[variable],))
            _keep_settings(cursor)
        return False

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        account = _account(user.name)
        verifier = mysql_native_password(user.password)
        rights = "SELECT, SHOW VIEW" if user.read_only else "ALL PRIVILEGES"
        with _session(endpoint) as cursor:
            cursor.execute(f"CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK")
            cursor.execute(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}")
            cursor.execute(
                f"GRANT {rights} ON {_identifier(user.database)}.* TO {account}"
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

    def users(self, endpoint: Endpoint) -> set[str]:
        with _session(endpoint) as cursor:
            cursor.execute("SELECT user FROM mysql.global_priv")
            return binding_users(str(row[0]) for row in cursor.fetchall())

    def sessions(self, endpoint: Endpoint) -> dict[str, int]:
        with _session(endpoint) as cursor:
            cursor.execute("SELECT user FROM information_schema.processlist")
            return sessions_of(str(row[0]) for row in cursor.fetchall())

    def databases(self, endpoint: Endpoint) -> set[str] | None:
        with _session(endpoint) as cursor:
            cursor.execute("SHOW DATABASES")
            return {str(row[0]) for row in cursor.fetchall()}

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        """Of the server: bindings' users have no right to write to one that is."""
        with _session(endpoint) as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {LOCKS_LIMIT_S}")
            try:
                _set_read_only(cursor, is_read_only)
            except pymysql.OperationalError:
                # One of them writes, or holds a lock, for longer than that.
                for name in self.users(endpoint):
                    cursor.execute(f"KILL HARD CONNECTION USER {_account(name)}")
                _set_read_only(cursor, is_read_only)

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        return relational_credentials("mysql", endpoint, user)

    def real_data_path(self, endpoint: Endpoint) -> str:
        with _session(endpoint) as cursor:
            cursor.execute("SELECT @@datadir")
            (row,) = cursor.fetchall()
            return str(row[0]).rstrip("/")

    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        with _session(endpoint) as cursor:
            for statement in WITNESS_TABLE:
                cursor.execute(statement)
            cursor.execute(
                "REPLACE INTO brokersite.witness VALUES (1, %s)",
                (our_witness(witness),),
            )

    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        with _session(endpoint) as cursor:
            for statement in WITNESS_TABLE:
                cursor.execute(statement)
            cursor.execute(
                "DELETE FROM brokersite.witness WHERE witness = %s",
                (our_witness(witness),),
            )

    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        lines = []
        with _session(endpoint) as cursor:
            for statement in inventory_of(database, witness):
                cursor.execute(statement)
                lines += [str(row[0]) for row in cursor.fetchall()]
        return counted(lines)

    def proof(self, database: str, witness: str) -> str:
        return "".join(f"{line};\n" for line in inventory_of(database, witness))


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


def _set_read_only(cursor: Cursor, is_read_only: bool) -> None:
    # A SET that changes nothing would wait for locks all the same.
    cursor.execute("SELECT @@GLOBAL.read_only")
    if cursor.fetchone() != (int(is_read_only),):
        cursor.execute(f"SET GLOBAL read_only = {int(is_read_only)}")


def _identifier(name: str) -> str:
    return f"`{our_name(name)}`"


def _account(name: str) -> str:
    return f"{_identifier(name)}@'%'"


_RESTORED = ("collation", "max_connections", "sql_mode")
"""A collation has one charset only."""
_SETTINGS = (
    "SELECT default_collation_name, @@GLOBAL.max_connections, @@GLOBAL.sql_mode"
    " FROM information_schema.schemata WHERE schema_name = %s"
)


def _apply(cursor: Cursor, name: str, parameters: Mapping[str, Any]) -> None:
    """Parameters that have been checked: words of ours, and numbers."""
    if "charset" in parameters:
        cursor.execute(
            f"ALTER DATABASE {_identifier(name)} CHARACTER SET {parameters['charset']}"
        )
    if "collation" in parameters:
        cursor.execute(
            f"ALTER DATABASE {_identifier(name)} COLLATE {parameters['collation']}"
        )
    settings = {}
    if "max_connections" in parameters:
        settings["max_connections"] = str(parameters["max_connections"])
    if "sql_mode" in parameters:
        settings["sql_mode"] = f"'{','.join(parameters['sql_mode'])}'"
    for variable, value in settings.items():
        cursor.execute(f"SET GLOBAL {variable} = {value}")
    if settings:
        _keep_settings(cursor)


def _keep_settings(cursor: Cursor) -> None:
    """Have the server write what a restart would forget, for the image's entrypoint.

    It cannot overwrite a file: the newest name counts, if its last line is there.
    """
    cursor.execute(
        "SELECT CONCAT('SET GLOBAL max_connections = ', @@GLOBAL.max_connections,"
        " ';\nSET GLOBAL sql_mode = ', QUOTE(@@GLOBAL.sql_mode), ';\n-- complete\n')"
        f" INTO DUMPFILE '{SETTINGS_PATH}/settings-{time.time_ns():020}.sql'"
    )


ENGINE: Engine = MariaDB()
