"""MariaDB in a real container."""

import time
from typing import Any

import pytest

from instances import errors
from instances.engines import Endpoint, User
from instances.engines.mariadb import MariaDB
from instances.engines.verifiers import mysql_native_password
from tests.docker.mariadb_session import MariaDBSession
from tests.docker.real_backup import RealBackupContract
from tests.fakes import Refused


class MariaDBTest(RealBackupContract):
    __test__ = True
    engine = MariaDB()
    MAINTENANCE = "mysql"
    CLIENT = "mariadb --no-defaults"
    LONG = "SELECT SLEEP(60);"
    PARAMETERS = {
        "charset": "latin1",
        "collation": "latin1_general_cs",
        "max_connections": 42,
        "sql_mode": ["ANSI_QUOTES", "STRICT_TRANS_TABLES"],
    }

    OTHERS = {
        "charset": "ascii",
        "collation": "ascii_bin",
        "max_connections": 37,
        "sql_mode": ["PIPES_AS_CONCAT"],
    }

    def new_session(
        self, endpoint: Endpoint, username: str, password: str, database: str
    ) -> MariaDBSession:
        return MariaDBSession(endpoint, username, password)

    def parameters_of(self, user: User) -> dict[str, Any]:
        session = self.session(user)
        charset, collation = session.run(
            "SELECT default_character_set_name, default_collation_name"
            " FROM information_schema.schemata"
            f" WHERE schema_name = '{user.database}'"
        )[0]
        ((limit, mode),) = session.run("SELECT @@max_connections, @@sql_mode")
        return {
            "charset": charset,
            "collation": collation,
            "max_connections": limit,
            "sql_mode": sorted(mode.split(",")),
        }

    def damaged_files(self, user: User) -> list[str]:
        return ["ibdata1", f"{user.database}/facts.ibd"]

    def rotate(self, secret: str) -> None:
        session = self.administrator()
        verifier = mysql_native_password(secret)
        session.run(f"ALTER USER brokersite@'%' IDENTIFIED BY PASSWORD '{verifier}'")

    def administrator(self) -> MariaDBSession:
        secret = self.endpoint.admin_secret
        return self.log_in(username="brokersite", password=secret, database="mysql")

    def test_a_user_sees_no_other_database(self):
        user, other = self.created(), self.created()
        self.leave("0" * 32)
        seen = {row[0] for row in self.session(user).run("SHOW DATABASES")}
        assert user.database in seen
        assert not seen & {other.database, "mysql", "brokersite"}

    def test_a_user_cannot_pass_its_rights_on(self):
        user, other = self.created(), self.created()
        session = self.session(user)
        grants = " ".join(row[0] for row in session.run("SHOW GRANTS"))
        assert "GRANT OPTION" not in grants
        for statement in (
            f"GRANT SELECT ON {user.database}.* TO {other.name}@'%'",
            "CREATE USER intruder@'%'",
            "SELECT * FROM mysql.global_priv",
            "SET GLOBAL max_connections = 1",
            "SELECT 1 INTO OUTFILE '/tmp/out'",
            "SELECT 1 INTO DUMPFILE '/var/lib/mysql/data/.applied/settings-9.sql'",
        ):
            with pytest.raises(Refused):
                session.run(statement)

    def test_a_collation_of_another_charset_is_refused(self):
        user = self.user()
        wanted = {"charset": "utf8mb4", "collation": "latin1_bin"}
        with pytest.raises(errors.InvalidRequest, match="latin1_bin"):
            self.engine.update_database(self.endpoint, user.database, wanted)

    def test_a_settings_file_that_was_cut_short_is_not_read(self):
        """A crash while the server wrote it: the one before counts."""
        user = self.created()
        wanted = {"max_connections": 43}
        self.engine.update_database(self.endpoint, user.database, wanted)
        path = "/var/lib/mysql/data/.applied/settings-99999999999999999999.sql"
        self.administrator().run(f"SELECT 'SET GLOBAL max_co' INTO DUMPFILE '{path}'")
        self.restart(kill=True)
        assert self.parameters_of(user)["max_connections"] == 43

    def test_a_name_that_is_not_ours_reaches_no_statement(self):
        """S33."""
        for name in ("d1`; DROP DATABASE mysql", "D1", "d'1", "d", "d" * 33, ""):
            with pytest.raises(ValueError, match="not a name that this broker makes"):
                self.engine.create_database(self.endpoint, name)

    def test_a_busy_session_is_ended_too(self):
        """F73: KILL reaches a statement that is running."""
        user = self.created()
        session = self.session(user)
        session.connection._execute_command(3, "SELECT SLEEP(60)")
        started_at = time.monotonic()
        self.engine.drop_user(self.endpoint, user.name)
        assert time.monotonic() - started_at < 3
        with pytest.raises(Refused):
            session.write(user.database)

    def test_a_lock_does_not_keep_a_full_server_writable(self):
        """LOCK TABLES holds up SET GLOBAL read_only for as long as it likes."""
        user = self.created()
        session = self.session(user)
        session.write(user.database)
        session.run(f"LOCK TABLES {user.database}.facts WRITE")
        self.set_read_only(user, True)
        self.addCleanup(self.set_read_only, user, False)
        self.assert_cannot_write(user)

    def test_a_user_of_a_full_server_cannot_let_itself_write(self):
        session = self.session(self.held())
        with pytest.raises(Refused):
            session.run("SET GLOBAL read_only = 0")
