"""Sessions of PostgreSQL's administrator, and what it asks in all of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from instances import errors
from instances.engines.base import Endpoint, hung_up_after, our_name
from instances.engines.verifiers import scram_login

ADMINISTRATOR = "brokersite"
MAINTENANCE = "postgres"
"""The database for what belongs to no database: roles, settings."""
KEYS_SINCE = 180000
"""The first libpq that takes keys in place of a password."""
CONNECT_LIMIT_S = 5
SESSION_LIMIT_S = 20
SESSIONS_LIMIT_S = 5.0
IDLE_LIMIT_S = 5
"""How long the server lets one live that nobody uses."""

# What a tenant has set for its database must not change what the broker's statements
# mean: these win over ALTER DATABASE … SET.
OPTIONS = (
    "-c search_path=pg_catalog -c default_transaction_read_only=off"
    f" -c statement_timeout={SESSION_LIMIT_S * 1000} -c lock_timeout=10000"
)


class Session:
    """Statements of the administrator in one database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.transaction = connection.transaction

    def run(
        self, statement: LiteralString, *parts: str | Composable
    ) -> list[tuple[Any, ...]]:
        """Fill in the parts, strings as names of ours; return the rows."""
        quoted = [
            Identifier(our_name(part)) if isinstance(part, str) else part
            for part in parts
        ]
        cursor = self._connection.execute(SQL(statement).format(*quoted))
        return cursor.fetchall() if cursor.description is not None else []


@contextmanager
def open_session(
    endpoint: Endpoint,
    database: str = MAINTENANCE,
    *,
    limit_s: float | None = None,
) -> Iterator[Session]:
    """Work in a database, for a limited time; the driver's errors become ours."""
    with translated(endpoint):
        connection = connect(endpoint, database)
        with connection, hung_up_after(connection.fileno(), limit_s or SESSION_LIMIT_S):
            yield Session(connection)


@contextmanager
def translated(endpoint: Endpoint) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, OSError) as error:
        raise errors.EngineUnreachable(
            detail=f"PostgreSQL at {endpoint.host}:{endpoint.port}: {error}"
        ) from error


def connect(
    endpoint: Endpoint, database: str, *, idle_limit_s: int = 0
) -> psycopg.Connection:
    """The server ends a session that is idle for so long; 0: for ever.

    One that holds a backup is idle for as long as files are copied.
    """
    return psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname=database,
        user=ADMINISTRATOR,
        connect_timeout=CONNECT_LIMIT_S,
        options=f"{OPTIONS} -c idle_session_timeout={idle_limit_s * 1000}",
        sslmode="disable",
        gssencmode="disable",
        autocommit=True,
        **_login(endpoint.admin_secret),
    )


def _login(secret: str) -> dict[str, Any]:
    """How libpq logs in with what the image was given as ADMIN_VERIFIER."""
    if psycopg.pq.version() < KEYS_SINCE:
        return {"password": secret}
    client_key, server_key = scram_login(secret)
    return {"scram_client_key": client_key, "scram_server_key": server_key}


def reader_of(database: str) -> str:
    """The name of its reader: d1 has r1."""
    return f"r{our_name(database)[1:]}"


def role_id_of(session: Session, name: str) -> int | None:
    rows = session.run("SELECT oid FROM pg_roles WHERE rolname = {}", Literal(name))
    return int(rows[0][0]) if rows else None


def end_sessions(session: Session, role_id: int) -> None:
    """Return when none is left. Raise EngineUnreachable."""
    deadline = time.monotonic() + SESSIONS_LIMIT_S
    while session.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = {}",
        Literal(role_id),
    ):
        if time.monotonic() > deadline:
            raise errors.EngineUnreachable(detail=f"sessions of {role_id} do not end")
        time.sleep(0.005)
