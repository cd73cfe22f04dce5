"""PostgreSQL.

Each database has two roles that outlive every binding. Its owner has the database's own
name: whatever a binding makes belongs to it, so that an unbind leaves the tables where
they are and the next binding may change them. Its reader may read all that the owner
makes. A binding's role is a member of one of the two, and may connect nowhere else.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg.sql import Identifier, Literal

from instances.engines import parameters as fields
from instances.engines.base import (
    Endpoint,
    Engine,
    User,
    binding_users,
    our_name,
    relational_credentials,
)
from instances.engines.postgres_read_only import hand_over, join_group, set_read_only
from instances.engines.postgres_session import (
    MAINTENANCE,
    Session,
    connect,
    end_sessions,
    reader_of,
    role_id_of,
)
from instances.engines.verifiers import scram_sha_256

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


class Postgres:
    name = "postgres"
    port = 5432
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
        with connect(endpoint) as session:
            session.run("SELECT 1")

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        fields.check(self.create_schema, parameters)
        locale = parameters.get("locale", LOCALES[0])
        with connect(endpoint) as session:
            is_complete = locale == LOCALES[0] and _adopt(session, name)
            if not is_complete:
                _create(session, name, locale)
        if not is_complete:
            with connect(endpoint, name) as session:
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
            with connect(endpoint, name) as session:
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
        with connect(endpoint) as session:
            session.run("ALTER SYSTEM SET max_connections = {}", limit)
            return not session.run(
                "SELECT WHERE current_setting('max_connections')::int = {}", limit
            )

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        limits = Literal(user.connections), Literal(scram_sha_256(user.password))
        with connect(endpoint) as session, session.transaction():
            if role_id_of(session, user.name) is None:
                session.run("CREATE ROLE {} NOLOGIN", user.name)
            join_group(session, user)
            session.run(
                "ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}",
                *(user.name, *limits),
            )

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        with connect(endpoint) as session:
            role_id = role_id_of(session, our_name(name))
            if role_id is None:
                return
            # First: else it could log in again before DROP.
            session.run("ALTER ROLE {} NOLOGIN", name)
            end_sessions(session, role_id)
            for database, owner in session.run(_BELONGINGS, Literal(role_id)):
                with connect(endpoint, database) as inside:
                    if database == MAINTENANCE:
                        inside.run("DROP OWNED BY {}", name)
                    else:
                        hand_over(inside, name, owner)
            session.run("DROP ROLE IF EXISTS {}", name)
            # A login that was half done at NOLOGIN.
            end_sessions(session, role_id)

    def users(self, endpoint: Endpoint) -> set[str]:
        with connect(endpoint) as session:
            names = session.run("SELECT rolname FROM pg_roles")
            return binding_users(row[0] for row in names)

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        set_read_only(endpoint, database, is_read_only)

    def credentials(self, host: str, port: int, user: User) -> dict[str, Any]:
        return relational_credentials("postgresql", host, port, user)


# The databases in which a role owns something or was given a right of its own.
_BELONGINGS: LiteralString = """
    SELECT DISTINCT datname, pg_get_userbyid(datdba)
    FROM pg_shdepend
    JOIN pg_database ON pg_database.oid = dbid OR dbid = 0 AND datname = 'postgres'
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = {}
"""


def _is_there(session: Session, database: str) -> bool:
    statement: LiteralString = "SELECT FROM pg_database WHERE datname = {}"
    return bool(session.run(statement, Literal(database)))


def _adopt(session: Session, name: str) -> bool:
    """Take the image's prepared database, if it is still there, for this name."""
    if not _is_there(session, "prepared") or _is_there(session, name):
        return False
    with session.transaction():
        session.run("ALTER DATABASE prepared RENAME TO {}", name)
        session.run("ALTER ROLE prepared RENAME TO {}", name)
        session.run("ALTER ROLE prepared_reader RENAME TO {}", reader_of(name))
    return True


def _create(session: Session, name: str, locale: str) -> None:
    """Any other database, in steps: an earlier attempt may have done the first ones."""
    for role in (name, reader_of(name)):
        if role_id_of(session, role) is None:
            session.run("CREATE ROLE {} NOLOGIN", role)
    if not _is_there(session, name):
        session.run(
            "CREATE DATABASE {} OWNER {} TEMPLATE template0 LC_COLLATE {} LC_CTYPE {}",
            *(name, name, Literal(locale), Literal(locale)),
        )
    session.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    session.run("GRANT CONNECT ON DATABASE {} TO {}", name, reader_of(name))


def _let_read(session: Session, name: str) -> None:
    """Inside the database: what its owner makes, its reader may read."""
    reader = reader_of(name)
    session.run("GRANT USAGE ON SCHEMA public TO {}", reader)
    for right in _READING:
        session.run(right, name, reader)


_READING: tuple[LiteralString, ...] = (
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT USAGE ON SCHEMAS TO {}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON TABLES TO {}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON SEQUENCES TO {}",
)


ENGINE: Engine = Postgres()
