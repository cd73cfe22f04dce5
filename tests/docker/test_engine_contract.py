"""What every engine does, said once and run against each."""

import time
import uuid
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.engines import Endpoint, Engine, User, new_secret
from instances.engines.mariadb import MariaDB
from tests.docker import engine_under_test as real
from tests.docker import test_docker_container as containers
from tests.docker.mariadb_session import MariaDBSession
from tests.docker.test_docker_container import SECRET, DockerTestCase
from tests.fakes import Refused, World
from tests.fakes.world import URL

KEYS_OF_THE_SEED = {
    *("uri", "jdbcurl", "name", "database", "host", "hostname", "port"),
    *("user", "username", "password"),
}


class Session(Protocol):
    def write(self, database: str) -> None: ...

    def close(self) -> None: ...


class EngineContract:
    """Facts; a subclass gives engine, endpoint, log_in() and users()."""

    engine: Engine
    endpoint: Endpoint

    def user(self, **changes: Any) -> User:
        """A user whose database exists; the user itself does not yet."""
        number = uuid.uuid4().hex[:16]
        fields = {"name": f"u{number}", "database": f"d{number}", "connections": 5}
        made = User(password=new_secret(), **{**fields, **changes})
        self.engine.create_database(self.endpoint, made.database)
        return made

    def created(self, **changes: Any) -> User:
        user = self.user(**changes)
        self.engine.create_user(self.endpoint, user)
        return user

    def session(self, user: User, *, password: str = "") -> Session:
        return self.log_in(username=user.name, password=password or user.password)

    def test_check_accepts_the_administrator(self):
        self.engine.check(self.endpoint)

    def test_check_with_another_secret_fails(self):
        """I2: a login tells whose database answers on a port."""
        theirs = Endpoint(self.endpoint.host, self.endpoint.port, "another secret")
        with pytest.raises(errors.EngineUnreachable):
            self.engine.check(theirs)

    def test_check_of_a_silent_port_fails(self):
        nobody = Endpoint(self.endpoint.host, 1, SECRET)
        with pytest.raises(errors.EngineUnreachable):
            self.engine.check(nobody)

    def test_the_environment_holds_a_verifier_not_the_secret(self):
        """S18."""
        environment = self.engine.environment(SECRET)
        assert SECRET not in str(environment)
        assert environment == self.engine.environment(SECRET)
        assert environment != self.engine.environment("another secret")

    def test_creating_a_database_again_keeps_what_is_in_it(self):
        user = self.created()
        session = self.session(user)
        session.write(user.database)
        self.engine.create_database(self.endpoint, user.database)
        session.write(user.database)

    def test_a_user_can_log_in_and_write(self):
        user = self.created()
        self.session(user).write(user.database)

    def test_creating_a_user_again_is_one_user_with_the_same_password(self):
        """F66: the answer to the first was lost."""
        user = self.created()
        self.engine.create_user(self.endpoint, user)
        assert self.users().count(user.name) == 1
        self.session(user).write(user.database)

    def test_creating_a_user_again_sets_the_password_it_is_given(self):
        old = self.created()
        new = User(old.name, new_secret(), old.database, old.connections)
        self.engine.create_user(self.endpoint, new)
        self.session(new).write(new.database)
        with pytest.raises(Refused):
            self.session(old)

    def test_a_wrong_password_is_refused(self):
        user = self.created()
        with pytest.raises(Refused):
            self.session(user, password="wrong")

    def test_an_empty_password_is_refused(self):
        """S13."""
        user = self.created()
        with pytest.raises(Refused):
            self.log_in(username=user.name, password="")

    def test_a_user_has_no_rights_in_another_database(self):
        user, other = self.created(), self.created()
        with pytest.raises(Refused):
            self.session(user).write(other.database)

    def test_connections_beyond_the_limit_are_refused(self):
        user = self.created(connections=2)
        sessions = [self.session(user), self.session(user)]
        with pytest.raises(Refused):
            self.session(user)
        assert len(sessions) == 2

    def test_a_dropped_user_is_refused(self):
        """I5."""
        user = self.created()
        self.engine.drop_user(self.endpoint, user.name)
        assert user.name not in self.users()
        with pytest.raises(Refused):
            self.session(user)

    def test_a_session_that_was_open_before_the_drop_cannot_write(self):
        """F73, I5."""
        user = self.created()
        session = self.session(user)
        session.write(user.database)
        self.engine.drop_user(self.endpoint, user.name)
        with pytest.raises(Refused):
            session.write(user.database)

    def test_dropping_a_user_leaves_the_others_alone(self):
        user, other = self.created(), self.created()
        session = self.session(other)
        self.engine.drop_user(self.endpoint, user.name)
        session.write(other.database)

    def test_dropping_again_is_fine(self):
        user = self.created()
        self.engine.drop_user(self.endpoint, user.name)
        self.engine.drop_user(self.endpoint, user.name)

    def test_dropping_a_user_that_never_was_is_fine(self):
        self.engine.drop_user(self.endpoint, "u0123456789abcdef")

    def test_a_user_created_after_a_drop_can_write(self):
        user = self.created()
        self.engine.drop_user(self.endpoint, user.name)
        self.engine.create_user(self.endpoint, user)
        self.session(user).write(user.database)

    def test_a_silent_server_is_unreachable_for_every_call(self):
        nobody = Endpoint(self.endpoint.host, 1, SECRET)
        user = User("u1", "p", "d1", 1)
        calls = [
            lambda: self.engine.create_database(nobody, "d1"),
            lambda: self.engine.create_user(nobody, user),
            lambda: self.engine.drop_user(nobody, "u1"),
        ]
        for call in calls:
            with pytest.raises(errors.EngineUnreachable):
                call()

    def test_the_credentials_have_the_keys_of_2014(self):
        user = User("u1", "secret", "d1", 1)
        document = self.engine.credentials("db.example.com", 20001, user)
        assert set(document) >= KEYS_OF_THE_SEED
        assert document["host"] == document["hostname"] == "db.example.com"
        assert document["name"] == document["database"] == "d1"
        assert document["user"] == document["username"] == "u1"
        assert document["password"] == "secret"

    def test_the_port_in_the_credentials_is_a_number(self):
        user = User("u1", "secret", "d1", 1)
        assert self.engine.credentials("h", 20001, user)["port"] == 20001

    def test_the_uri_opens_the_database(self):
        user = self.created()
        host, port = self.endpoint.host, self.endpoint.port
        uri = urlsplit(self.engine.credentials(host, port, user)["uri"])
        assert (uri.hostname, uri.port) == (host, port)
        session = self.log_in(username=uri.username, password=uri.password)
        session.write(uri.path.lstrip("/"))


class FakeEngineTest(EngineContract, SimpleTestCase):
    databases = {"default"}

    def setUp(self) -> None:
        super().setUp()
        world = World()
        self.engine = world.engine
        spec = containers.spec()
        host = world.connect(URL)
        host.create(spec)
        host.start(spec.name)
        self.endpoint = Endpoint(spec.publish_address, spec.publish_port, SECRET)

    def log_in(self, *, username: str, password: str) -> Session:
        host, port = self.endpoint.host, self.endpoint.port
        return self.engine.log_in(host, port, username=username, password=password)

    def users(self) -> list[str]:
        return self.engine.users(self.endpoint)


class MariaDBTest(EngineContract, DockerTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.engine = MariaDB()
        cls.spec = cls.start()
        cls.endpoint = Endpoint(real.ADDRESS, cls.spec.publish_port, SECRET)

    def log_in(self, *, username: str, password: str) -> MariaDBSession:
        session = MariaDBSession(self.endpoint, username, password)
        self.addCleanup(session.close)
        return session

    def users(self) -> list[str]:
        administrator = self.log_in(username="brokersite", password=SECRET)
        rows = administrator.run("SELECT user FROM mysql.global_priv")
        return [str(row[0]) for row in rows]

    def test_a_user_sees_no_other_database(self):
        user, other = self.created(), self.created()
        seen = {row[0] for row in self.session(user).run("SHOW DATABASES")}
        assert user.database in seen
        assert not seen & {other.database, "mysql"}

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
        ):
            with pytest.raises(Refused):
                session.run(statement)

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

    def test_a_user_survives_a_kill_of_the_server(self):
        """F77: bind, kill -9, log in."""
        user = self.created()
        container = self.docker.containers.get(self.spec.name)
        container.kill()
        container.start()
        containers.wait_until_ready(self.spec)
        self.session(user).write(user.database)
