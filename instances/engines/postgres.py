"""PostgreSQL.

Each database has two roles that outlive every binding. Its owner has the database's own
name: whatever a binding makes belongs to it, so that an unbind leaves the tables where
they are and the next binding may change them. Its reader may read all that the owner
makes. A binding's role is a member of one of the two, and may connect nowhere else.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from instances import errors
from instances.engines import parameters as fields
from instances.engines.base import (
    Endpoint,
    Engine,
    User,
    binding_users,
    hung_up_after,
    our_name,
    relational_credentials,
)
from instances.engines.verifiers import scram_sha_256

ADMINISTRATOR = "brokersite"
MAINTENANCE = "postgres"
"""The database for what belongs to no database: roles, settings."""
CONNECT_LIMIT_S = 5
SESSION_LIMIT_S = 20
SESSIONS_LIMIT_S = 5.0

LOCALES = [
    *("C.UTF-8", "en_US.UTF-8", "en_GB.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8"),
    *("es_ES.UTF-8", "it_IT.UTF-8", "nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8"),
    "sv_SE.UTF-8",
]
# All of them trusted: they give their owner no more than its database.
EXTENSIONS = [
    *("btree_gin", "btree_gist", "citext", "cube", "dict_int", "fuzzystrmatch"),
    *("hstore", "intarray", "isn", "lo", "ltree", "pg_trgm", "pgcrypto", "seg"),
    *("tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent"),
    "uuid-ossp",
]
CHANGEABLE = {
    "extensions": fields.choices(
        "Extensions", "They are created; none is ever dropped.", EXTENSIONS
    ),
    "max_connections": fields.number(
        "Connections",
        "For all bindings together; a change restarts the server.",
        lowest=10,
        highest=300,
    ),
}

# What a tenant has set for its database must not change what the broker's statements
# mean: these win over ALTER DATABASE … SET.
OPTIONS = (
    "-c search_path=pg_catalog -c default_transaction_read_only=off"
    f" -c statement_timeout={SESSION_LIMIT_S * 1000} -c lock_timeout=10000"
)


class Postgres:
    name = "postgres"
    port = 5432
    data_path = "/var/lib/postgresql/data"
    incoming_path = "/var/lib/postgresql/incoming"
    create_schema = fields.schema(
        "PostgreSQL",
        locale=fields.choice("Locale", "How text is sorted and compared.", LOCALES),
        **CHANGEABLE,
    )
    update_schema = fields.schema("PostgreSQL", **CHANGEABLE)
    bind_schema = fields.BIND_SCHEMA

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_VERIFIER": scram_sha_256(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as session:
            session.run("SELECT 1")

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        fields.check(self.create_schema, parameters)
        locale = parameters.get("locale", LOCALES[0])
        with _session(endpoint) as session:
            is_complete = locale == LOCALES[0] and _adopt(session, name)
            if not is_complete:
                _create(session, name, locale)
        if not is_complete:
            with _session(endpoint, name) as session:
                _let_read(session, name)
        return self._apply(endpoint, name, parameters)

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        fields.check(self.update_schema, parameters)
        return self._apply(endpoint, name, parameters)

    def _apply(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        """Parameters that have been checked: words of ours, and numbers."""
        if parameters.get("extensions"):
            with _session(endpoint, name) as session:
                # As the owner could itself: no right of the administrator is lent.
                session.run("SET ROLE {}", name)
                for extension in parameters["extensions"]:
                    session.run(
                        "CREATE EXTENSION IF NOT EXISTS {} SCHEMA public",
                        Identifier(extension),
                    )
        if "max_connections" not in parameters:
            return False
        limit = Literal(parameters["max_connections"])
        with _session(endpoint) as session:
            session.run("ALTER SYSTEM SET max_connections = {}", limit)
            return not session.run(
                "SELECT WHERE current_setting('max_connections')::int = {}", limit
            )

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        owner, reader = user.database, _reader(user.database)
        role, other = (reader, owner) if user.read_only else (owner, reader)
        limits = Literal(user.connections), Literal(scram_sha_256(user.password))
        with _session(endpoint) as session, session.transaction():
            if _role_id(session, user.name) is None:
                session.run("CREATE ROLE {} NOLOGIN", user.name)
            else:
                session.run("REVOKE {} FROM {}", other, user.name)
            session.run("GRANT {} TO {}", role, user.name)
            # What it makes belongs to the owner; a reader makes nothing.
            session.run("ALTER ROLE {} SET role = {}", user.name, role)
            session.run(
                "ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}",
                *(user.name, *limits),
            )

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        with _session(endpoint) as session:
            role_id = _role_id(session, our_name(name))
            if role_id is None:
                return
            # First: else it could log in again before DROP.
            session.run("ALTER ROLE {} NOLOGIN", name)
            _end_sessions(session, role_id)
            for database, owner in session.run(_BELONGINGS, Literal(role_id)):
                with _session(endpoint, database) as inside:
                    if database != MAINTENANCE:
                        inside.run(
                            "REASSIGN OWNED BY {} TO {}", name, Identifier(owner)
                        )
                    inside.run("DROP OWNED BY {}", name)
            session.run("DROP ROLE IF EXISTS {}", name)
            # A login that was half done at NOLOGIN.
            _end_sessions(session, role_id)

    def users(self, endpoint: Endpoint) -> set[str]:
        with _session(endpoint) as session:
            names = session.run("SELECT rolname FROM pg_roles")
            return binding_users(row[0] for row in names)

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        return relational_credentials("postgresql", endpoint, user)


# The databases in which a role owns something or was given a right of its own.
_BELONGINGS: LiteralString = """
    SELECT DISTINCT datname, pg_get_userbyid(datdba)
    FROM pg_shdepend
    JOIN pg_database ON pg_database.oid = dbid OR dbid = 0 AND datname = 'postgres'
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = {}
"""


class _Session:
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
def _session(endpoint: Endpoint, database: str = MAINTENANCE) -> Iterator[_Session]:
    """Work in a database, for a limited time; the driver's errors become ours."""
    try:
        connection = psycopg.connect(
            host=endpoint.host,
            port=endpoint.port,
            dbname=database,
            user=ADMINISTRATOR,
            password=endpoint.admin_secret,
            connect_timeout=CONNECT_LIMIT_S,
            options=OPTIONS,
            sslmode="disable",
            gssencmode="disable",
            autocommit=True,
        )
        with connection, hung_up_after(connection.fileno(), SESSION_LIMIT_S):
            yield _Session(connection)
    except (psycopg.Error, OSError) as error:
        raise errors.EngineUnreachable(
            detail=f"PostgreSQL at {endpoint.host}:{endpoint.port}: {error}"
        ) from error


def _reader(database: str) -> str:
    """The name of its reader: d1 has r1."""
    return f"r{our_name(database)[1:]}"


def _role_id(session: _Session, name: str) -> int | None:
    rows = session.run("SELECT oid FROM pg_roles WHERE rolname = {}", Literal(name))
    return int(rows[0][0]) if rows else None


def _is_there(session: _Session, database: str) -> bool:
    statement: LiteralString = "SELECT FROM pg_database WHERE datname = {}"
    return bool(session.run(statement, Literal(database)))


def _adopt(session: _Session, name: str) -> bool:
    """Take the image's prepared database, if it is still there, for this name."""
    if not _is_there(session, "prepared") or _is_there(session, name):
        return False
    with session.transaction():
        session.run("ALTER DATABASE prepared RENAME TO {}", name)
        session.run("ALTER ROLE prepared RENAME TO {}", name)
        session.run("ALTER ROLE prepared_reader RENAME TO {}", _reader(name))
    return True


def _create(session: _Session, name: str, locale: str) -> None:
    """Any other database, in steps: an earlier attempt may have done the first ones."""
    for role in (name, _reader(name)):
        if _role_id(session, role) is None:
            session.run("CREATE ROLE {} NOLOGIN", role)
    if not _is_there(session, name):
        session.run(
            "CREATE DATABASE {} OWNER {} TEMPLATE template0 LC_COLLATE {} LC_CTYPE {}",
            *(name, name, Literal(locale), Literal(locale)),
        )
    session.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    session.run("GRANT CONNECT ON DATABASE {} TO {}", name, _reader(name))


def _let_read(session: _Session, name: str) -> None:
    """Inside the database: what its owner makes, its reader may read."""
    reader = _reader(name)
    session.run("GRANT USAGE ON SCHEMA public TO {}", reader)
    for right in _READING:
        session.run(right, name, reader)


_READING: tuple[LiteralString, ...] = (
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT USAGE ON SCHEMAS TO {}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON TABLES TO {}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON SEQUENCES TO {}",
)


def _end_sessions(session: _Session, role_id: int) -> None:
    """Return when none is left. Raise EngineUnreachable."""
    deadline = time.monotonic() + SESSIONS_LIMIT_S
    while session.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = {}",
        Literal(role_id),
    ):
        if time.monotonic() > deadline:
            raise errors.EngineUnreachable(detail=f"sessions of {role_id} do not end")
        time.sleep(0.005)


ENGINE: Engine = Postgres()
