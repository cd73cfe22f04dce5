"""PostgreSQL in a real container."""

import time
from dataclasses import replace
from typing import Any
from unittest import mock

import psycopg
import pytest

from instances import errors
from instances.engines import (
    Endpoint,
    User,
    new_secret,
    postgres_idle,
    postgres_read_only,
    postgres_session,
)
from instances.engines.postgres import Postgres
from instances.engines.postgres_session import connect
from instances.engines.verifiers import scram_sha_256
from tests.docker.postgres_session import PostgresSession
from tests.docker.real_backup import RealBackupContract
from tests.fakes import Refused

_WHO = "SELECT pg_backend_pid()"


class PostgresTest(RealBackupContract):
    __test__ = True
    engine = Postgres()
    MAINTENANCE = "postgres"
    CLIENT = "psql"
    LONG = "SELECT pg_sleep(60);"
    PARAMETERS = {"extensions": ["hstore", "uuid-ossp"], "max_connections": 42}
    OTHERS = {"extensions": ["citext"], "max_connections": 37}

    def new_session(
        self, endpoint: Endpoint, username: str, password: str, database: str
    ) -> PostgresSession:
        return PostgresSession(endpoint, username, password, database)

    def parameters_of(self, user: User) -> dict[str, Any]:
        session = self.session(user)
        rows = session.run("SELECT extname FROM pg_extension ORDER BY extname")
        ((limit,),) = session.run("SHOW max_connections")
        return {
            "extensions": [row[0] for row in rows if row[0] != "plpgsql"],
            "max_connections": int(limit),
        }

    def damaged_files(self, user: User) -> list[str]:
        statement = "SELECT pg_relation_filepath('pg_class')"
        ((catalog,),) = self.session(user).run(statement)
        return ["global/pg_control", catalog]

    def rotate(self, secret: str) -> None:
        verifier = scram_sha_256(secret)
        self.administrator().run(f"ALTER ROLE brokersite PASSWORD '{verifier}'")

    def administrator(self, database: str = "postgres") -> PostgresSession:
        secret = self.endpoint.admin_secret
        return self.log_in(username="brokersite", password=secret, database=database)

    def test_it_logs_in_with_keys_and_where_libpq_knows_none_with_the_password(self):
        wrong = replace(self.endpoint, admin_secret=new_secret())
        for version in (170000, 180000):
            with mock.patch("psycopg.pq.version", return_value=version):
                self.engine.check(self.endpoint)
                with pytest.raises(errors.EngineUnreachable) as refused:
                    self.engine.check(wrong)
                assert "authentication failed" in refused.value.detail

    def test_binds_one_after_another_need_one_login(self):
        users = [self.user() for _ in range(3)]
        with mock.patch.object(postgres_idle, "connect", wraps=connect) as logins:
            self.engine.create_database(self.endpoint, users[0].database)
            for user in users:
                self.engine.create_user(self.endpoint, user)
                self.session(user)
                self.engine.drop_user(self.endpoint, user.name)
        assert logins.call_count <= 1

    def test_a_session_of_before_a_restart_is_not_used(self):
        """F65: nor one of another server in its place."""
        for kill in (False, True):
            self.created()
            self.restart(kill=kill)
            self.session(self.created())

    def test_the_server_ends_a_session_that_is_not_used(self):
        with postgres_idle.lend_session(self.endpoint) as session:
            assert session.run("SHOW idle_session_timeout") == [("5s",)]
        with mock.patch.object(postgres_idle, "monotonic", lambda: 1e12):
            assert postgres_idle._find(self.endpoint) is None

    def test_one_session_is_kept_and_none_that_has_failed(self):
        with (
            postgres_idle.lend_session(self.endpoint) as one,
            postgres_idle.lend_session(self.endpoint) as other,
        ):
            assert one.run(_WHO) != other.run(_WHO)
        (mine,) = one.run(_WHO)
        with postgres_idle.lend_session(self.endpoint) as again:
            assert again.run(_WHO) == [mine]
        with pytest.raises(errors.EngineUnreachable):
            with postgres_idle.lend_session(self.endpoint) as failing:
                failing.run("SELECT nonsense")
        with postgres_idle.lend_session(self.endpoint) as fresh:
            assert fresh.run(_WHO) != [mine]

    def test_a_check_logs_in_whatever_is_kept(self):
        """F65: a standby that nobody can log in to is none."""
        self.created()
        with pytest.raises(errors.EngineUnreachable):
            self.engine.check(replace(self.endpoint, admin_secret=new_secret()))
        with mock.patch.object(psycopg, "connect", side_effect=psycopg.Error):
            with pytest.raises(errors.EngineUnreachable):
                self.engine.check(self.endpoint)

    def test_a_locale_sorts_as_that_country_does(self):
        user = self.user()
        name = user.database.replace("d", "e", 1)
        for _ in range(2):
            self.engine.create_database(self.endpoint, name, {"locale": "de_DE.UTF-8"})
        rows = self.administrator(name).run(
            "SELECT x FROM (VALUES ('z'), ('ä'), ('B')) AS t(x) ORDER BY x"
        )
        assert [row[0] for row in rows] == ["ä", "B", "z"]
        with pytest.raises(errors.InvalidRequest, match="unknown"):
            self.engine.update_database(self.endpoint, name, {"locale": "de_DE.UTF-8"})

    def test_a_user_may_connect_to_no_database_but_its_own(self):
        user = self.created()
        for database in ("postgres", "template1", "prepared"):
            with pytest.raises(Refused):
                self.session(user, database=database)

    def test_a_user_is_no_administrator(self):
        user, other = self.created(), self.created()
        session = self.session(user)
        for statement in (
            "CREATE ROLE intruder LOGIN",
            "CREATE DATABASE another",
            f"ALTER ROLE {user.name} CONNECTION LIMIT 100",
            f"GRANT {other.database} TO {user.name}",
            f"SET ROLE {other.database}",
            "SET ROLE brokersite",
            "SELECT * FROM pg_authid",
            "ALTER SYSTEM SET max_connections = 10",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
            "CREATE EXTENSION dblink",
        ):
            with pytest.raises(Refused):
                session.run(statement)

    def test_a_read_only_user_stays_out_of_the_owners_role_and_of_pg_authid(self):
        writer = self.created()
        reader = self.session(self.created(database=writer.database, read_only=True))
        for statement in (
            f"SET ROLE {writer.database}",
            "SELECT * FROM pg_authid",
            "CREATE TABLE t (n int)",
            "CREATE SCHEMA s",
            "CREATE TEMP TABLE t (n int)",
        ):
            with pytest.raises(Refused):
                reader.run(statement)

    def test_a_read_only_user_reads_schemas_that_are_made_later(self):
        writer = self.created()
        reader = self.session(self.created(database=writer.database, read_only=True))
        session = self.session(writer)
        session.run("CREATE SCHEMA later")
        session.run("CREATE TABLE later.t AS SELECT 7 AS n")
        assert reader.run("SELECT n FROM later.t") == [(7,)]

    def test_what_a_user_made_as_itself_goes_to_the_owner(self):
        """SET ROLE NONE, own grants and policies would else forbid DROP ROLE."""
        user, other = self.created(), self.created()
        other = self.created(database=user.database)
        session = self.session(user)
        session.run("CREATE TABLE shared (n int)")
        session.run(f"GRANT SELECT ON shared TO {other.name}")
        session.run(f"CREATE POLICY p ON shared TO {other.name}")
        mine = self.session(other)
        mine.run("SET ROLE NONE")
        mine.run("CREATE TABLE own (n int)")
        mine.run(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {user.name}")
        self.engine.drop_user(self.endpoint, other.name)
        session.run("INSERT INTO own VALUES (1)")
        session.run("DROP TABLE own")

    def test_settings_of_the_tenant_do_not_change_the_brokers_statements(self):
        user = self.created()
        session = self.session(user)
        for setting in (
            "search_path = public",
            "default_transaction_read_only = on",
            "statement_timeout = 1",
        ):
            session.run(f"ALTER DATABASE {user.database} SET {setting}")
        session.run("CREATE TABLE pg_roles (oid int, rolname text)")
        wanted = {"extensions": ["citext"]}
        self.engine.update_database(self.endpoint, user.database, wanted)
        self.engine.drop_user(self.endpoint, user.name)

    def test_a_busy_session_is_ended_too(self):
        """F73."""
        user = self.created()
        session = self.session(user)
        session.connection.pgconn.send_query(b"SELECT pg_sleep(60)")
        started_at = time.monotonic()
        self.engine.drop_user(self.endpoint, user.name)
        assert time.monotonic() - started_at < 3

    def test_only_a_session_that_is_kept_ends_when_it_is_idle(self):
        """A hot backup's is idle for as long as the files are copied."""
        limit = "SHOW idle_session_timeout"
        with postgres_session.open_session(self.endpoint) as session:
            assert session.run(limit) == [("0",)]
        with postgres_idle.lend_session(self.endpoint) as session:
            assert session.run(limit) == [("5s",)]

    def test_a_server_that_stops_in_mid_answer_is_given_up(self):
        """F34: the driver itself would wait for ever."""
        started_at = time.monotonic()
        with (
            mock.patch.object(postgres_session, "SESSION_LIMIT_S", 1),
            pytest.raises(errors.EngineUnreachable),
            postgres_session.open_session(self.endpoint) as session,
        ):
            session.run("SELECT pg_sleep(60)")
        assert time.monotonic() - started_at < 5

    def test_a_user_of_a_full_database_cannot_let_itself_write(self):
        user = self.created()
        session = self.session(user)
        session.run("SET ROLE NONE")
        session.run("CREATE TABLE own (n int)")
        self.set_read_only(user, True)
        self.addCleanup(self.set_read_only, user, False)
        session = self.session(user)
        session.run("SET ROLE NONE")
        session.run("SET default_transaction_read_only = off")
        for statement in (
            "INSERT INTO own VALUES (1)",
            f"SET ROLE {user.database}",
            f"GRANT {user.database} TO {user.name}",
            "CREATE TABLE another (n int)",
            "CREATE TEMP TABLE another (n int)",
        ):
            with pytest.raises(Refused):
                session.run(statement)
        session.run(f"SET ROLE {user.database.replace('d', 'w', 1)}")
        with pytest.raises(Refused):
            session.run("INSERT INTO own VALUES (1)")

    def test_a_full_database_stays_full_after_a_kill(self):
        user = self.held()
        self.restart(kill=True)
        self.assert_cannot_write(user)

    def test_letting_go_that_was_cut_short_is_made_good(self):
        user = self.held()
        with (
            mock.patch.object(postgres_read_only, "_end_sessions_of") as ending,
            pytest.raises(KeyboardInterrupt),
        ):
            ending.side_effect = KeyboardInterrupt
            self.set_read_only(user, False)
        reader = self.session(self.created(database=user.database))
        self.set_read_only(user, False)
        with pytest.raises(Refused):
            reader.write(user.database)
        self.session(user).write(user.database)
        assert not self.administrator().run(
            "SELECT FROM pg_roles WHERE rolname LIKE 'w%'"
        )

    def test_the_other_databases_of_a_server_are_left_alone(self):
        self.held()
        other = self.created()
        self.session(other).write(other.database)
