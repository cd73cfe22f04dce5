"""PostgreSQL.

Each database has two roles that outlive every binding. Its owner has the database's own
name: whatever a binding makes belongs to it, so that an unbind leaves the tables where
they are and the next binding may change them. Its reader may read all that the owner
makes. A binding's role is a member of one of the two, and may connect nowhere else.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, LiteralString

from psycopg.errors import DependentObjectsStillExist
from psycopg.sql import SQL, Identifier, Literal

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
from instances.engines.postgres_idle import lend_session
from instances.engines.postgres_inventory import LEAVE, REMOVE, count_in
from instances.engines.postgres_parameters import (
    CREATE_SCHEMA,
    LOCALES,
    UPDATE_SCHEMA,
)
from instances.engines.postgres_read_only import hand_over, join_group, set_read_only
from instances.engines.postgres_session import (
    ADMINISTRATOR,
    MAINTENANCE,
    Session,
    end_sessions,
    open_session,
    reader_of,
    role_id_of,
)
from instances.engines.verifiers import scram_sha_256


class Postgres:
    name = "postgres"
    port = 5432
    data_path = "/var/lib/postgresql/data"
    incoming_path = "/var/lib/postgresql/incoming"
    create_schema = CREATE_SCHEMA
    update_schema = UPDATE_SCHEMA
    bind_schema = fields.BIND_SCHEMA

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        fields.check(self.create_schema, parameters)

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_VERIFIER": scram_sha_256(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with open_session(endpoint) as session:
            session.run("SELECT 1")

    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        # Not a session that is kept: that one has logged in before.
        with open_session(endpoint) as session:
            verifier = Literal(scram_sha_256(secret))
            session.run("ALTER ROLE {} PASSWORD {}", ADMINISTRATOR, verifier)

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        self.check_parameters(parameters)
        locale = parameters.get("locale", LOCALES[0])
        with lend_session(endpoint) as session:
            is_complete = locale == LOCALES[0] and _adopt(session, name)
            if not is_complete:
                _create(session, name, locale)
        if not is_complete:
            with open_session(endpoint, name) as session:
                _let_read(session, name)
        return self._apply(endpoint, name, parameters)

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        fields.check(self.update_schema, parameters)
        return self._apply(endpoint, name, parameters)

    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        with open_session(endpoint, name) as session:
            ((limit,),) = session.run("SELECT current_setting('max_connections')::int")
            installed = session.run("SELECT extname FROM pg_extension")
        added = set(parameters.get("extensions", ())) - {row[0] for row in installed}
        noted: dict[str, Any] = {"added_extensions": sorted(added)}
        if "max_connections" in parameters:
            noted["max_connections"] = limit
        return noted

    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        with open_session(endpoint, name) as session:
            session.run("SET ROLE {}", name)
            for extension in former["added_extensions"]:
                # One that an app has used meanwhile stays.
                with suppress(DependentObjectsStillExist):
                    session.run("DROP EXTENSION IF EXISTS {}", Identifier(extension))
        rest = {k: v for k, v in former.items() if k == "max_connections"}
        return self._apply(endpoint, name, rest)

    def _apply(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        """Parameters that have been checked: words of ours, and numbers."""
        if parameters.get("extensions"):
            with open_session(endpoint, name) as session:
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
        with open_session(endpoint) as session:
            session.run("ALTER SYSTEM SET max_connections = {}", limit)
            return not session.run(
                "SELECT WHERE current_setting('max_connections')::int = {}", limit
            )

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        limits = Literal(user.connections), Literal(scram_sha_256(user.password))
        with lend_session(endpoint) as session, session.transaction():
            if role_id_of(session, user.name) is None:
                session.run("CREATE ROLE {} NOLOGIN", user.name)
            join_group(session, user)
            session.run(
                "ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}",
                *(user.name, *limits),
            )

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        with lend_session(endpoint) as session:
            role_id = role_id_of(session, our_name(name))
            if role_id is None:
                return
            # First: else it could log in again before DROP.
            session.run("ALTER ROLE {} NOLOGIN", name)
            end_sessions(session, role_id)
            for database, owner in session.run(_BELONGINGS, Literal(role_id)):
                with open_session(endpoint, database) as inside:
                    if database == MAINTENANCE:
                        inside.run("DROP OWNED BY {}", name)
                    else:
                        hand_over(inside, name, owner)
            session.run("DROP ROLE IF EXISTS {}", name)
            # A login that was half done at NOLOGIN.
            end_sessions(session, role_id)

    def users(self, endpoint: Endpoint) -> set[str]:
        with open_session(endpoint) as session:
            names = session.run("SELECT rolname FROM pg_roles")
            return binding_users(row[0] for row in names)

    def sessions(self, endpoint: Endpoint) -> dict[str, int]:
        with open_session(endpoint) as session:
            rows = session.run(
                "SELECT usename FROM pg_stat_activity WHERE usename IS NOT NULL"
            )
            return sessions_of(str(row[0]) for row in rows)

    def databases(self, endpoint: Endpoint) -> set[str] | None:
        with open_session(endpoint) as session:
            rows = session.run("SELECT datname FROM pg_database")
            return {str(row[0]) for row in rows}

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        set_read_only(endpoint, database, is_read_only)

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        return relational_credentials("postgresql", endpoint, user)

    def real_data_path(self, endpoint: Endpoint) -> str:
        with open_session(endpoint) as session:
            ((path,),) = session.run("SHOW data_directory")
            return str(path).rstrip("/")

    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        with open_session(endpoint) as session:
            for statement in LEAVE:
                session.run(statement, Literal(our_witness(witness)))

    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        with open_session(endpoint) as session:
            for statement in REMOVE:
                session.run(statement, Literal(our_witness(witness)))

    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        named, lines = Literal(our_witness(witness)), []
        for place, statements in count_in(database).items():
            with open_session(endpoint, place) as session:
                for statement in statements:
                    lines += [str(row[0]) for row in session.run(statement, named)]
        return counted(lines)

    def proof(self, database: str, witness: str) -> str:
        named, lines = Literal(our_witness(witness)), []
        for place, statements in count_in(database).items():
            lines += [f"\\connect {place}"]
            filled = [SQL(statement).format(named) for statement in statements]
            lines += [f"{statement.as_string(None)};" for statement in filled]
        return "".join(f"{line}\n" for line in lines)


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
