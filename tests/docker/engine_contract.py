"""What every engine does, said once: its facts are run against each."""

import functools
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from instances import errors
from instances.engines import Endpoint, Engine, User, new_secret
from tests.docker.read_only_contract import ReadOnlyContract
from tests.docker.sessions_contract import SessionsContract
from tests.fakes import Refused

SECRET = "canary-of-the-administrator"
KEYS_OF_THE_SEED = {
    *("uri", "name", "database", "host", "hostname", "port"),
    *("user", "username", "password"),
}


class Session(Protocol):
    """A user's connection. Each call raises Refused."""

    def write(self, database: str) -> None:
        """Add one to the facts, in a table of the user's own making."""

    def count(self, database: str) -> int: ...

    def wipe(self, database: str) -> None:
        """Drop the table."""

    def close(self) -> None: ...


class EngineContract(ReadOnlyContract, SessionsContract):
    """Facts; a subclass gives engine, endpoint, log_in() and its parameters."""

    engine: Engine
    endpoint: Endpoint
    PARAMETERS: dict[str, Any]
    """A value other than the default for each that update_database takes."""

    def user(self, **changes: Any) -> User:
        """A user whose database exists; the user itself does not yet."""
        number = uuid.uuid4().hex[:16]
        fields = {"name": f"u{number}", "database": f"d{number}", "connections": 5}
        made = User(**{"password": new_secret(), **fields, **changes})
        self.engine.create_database(self.endpoint, made.database)
        return made

    def created(self, **changes: Any) -> User:
        user = self.user(**changes)
        self.engine.create_user(self.endpoint, user)
        return user

    def session(self, user: User, *, password: str = "", database: str = "") -> Session:
        return self.log_in(
            username=user.name,
            password=password or user.password,
            database=database or user.database,
        )

    def test_check_accepts_the_administrator(self):
        self.engine.check(self.endpoint)

    def test_check_with_another_secret_fails(self):
        """I2: a login tells whose database answers on a port."""
        theirs = Endpoint(self.endpoint.host, self.endpoint.port, "another secret")
        with pytest.raises(errors.EngineUnreachable):
            self.engine.check(theirs)

    def test_another_admin_secret_takes_the_place_of_the_first(self):
        """F74: it can be given twice, with the old one and with the new one."""
        user, coming = self.created(), new_secret()
        renewed = replace(self.endpoint, admin_secret=coming)
        self.engine.set_admin_secret(self.endpoint, coming)
        try:
            self.engine.set_admin_secret(renewed, coming)
            self.engine.check(renewed)
            with pytest.raises(errors.EngineUnreachable):
                self.engine.check(self.endpoint)
            self.session(user).write(user.database)
        finally:
            self.engine.set_admin_secret(renewed, self.endpoint.admin_secret)
        self.engine.check(self.endpoint)

    def test_a_silent_server_is_unreachable_for_every_call(self):
        nobody = Endpoint(self.endpoint.host, 1, SECRET)
        calls = [
            lambda: self.engine.check(nobody),
            lambda: self.engine.create_database(nobody, "d1"),
            lambda: self.engine.update_database(nobody, "d1", self.PARAMETERS),
            lambda: self.engine.former_settings(nobody, "d1", self.PARAMETERS),
            lambda: self.engine.restore_settings(nobody, "d1", {}),
            lambda: self.engine.create_user(nobody, User("u1", "p", "d1", 1)),
            lambda: self.engine.drop_user(nobody, "u1"),
            lambda: self.engine.users(nobody),
            lambda: self.engine.sessions(nobody),
            lambda: self.engine.set_admin_secret(nobody, "s"),
            lambda: self.engine.set_read_only(nobody, "d1", True),
        ]
        for call in calls:
            with pytest.raises(errors.EngineUnreachable):
                call()

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
        assert session.count(user.database) >= 2

    def test_an_unknown_parameter_is_refused(self):
        user = self.user()
        for wanted in ({"shards": 3}, {"read_only": True}):
            with pytest.raises(errors.InvalidRequest, match="unknown"):
                self.engine.create_database(self.endpoint, user.database, wanted)
            with pytest.raises(errors.InvalidRequest, match="unknown"):
                self.engine.update_database(self.endpoint, user.database, wanted)

    def test_a_hostile_parameter_reaches_no_statement(self):
        """S33, S35."""
        user = self.user()
        for name in self.PARAMETERS:
            for value in ("x'; DROP DATABASE d1", "x\nsave 1 1", ["`", "\0"], -1, {}):
                with pytest.raises(errors.InvalidRequest):
                    self.engine.check_parameters({name: value})
                with pytest.raises(errors.InvalidRequest):
                    self.engine.update_database(
                        self.endpoint, user.database, {name: value}
                    )

    def test_parameters_can_be_given_twice(self):
        user = self.user()
        self.engine.check_parameters(self.PARAMETERS)
        for _ in range(2):
            self.engine.create_database(self.endpoint, user.database, self.PARAMETERS)
            self.engine.update_database(self.endpoint, user.database, self.PARAMETERS)

    def test_a_user_can_log_in_and_write(self):
        user = self.created()
        self.session(user).write(user.database)

    def test_a_user_has_the_name_that_it_was_given(self):
        """MySQL allows 32 characters."""
        user = self.created(name=f"u{uuid.uuid4().hex[:31]}")
        assert user.name in self.engine.users(self.endpoint)
        self.session(user).write(user.database)

    def test_creating_a_user_again_is_one_user_with_the_same_password(self):
        """F66: the answer to the first was lost."""
        user = self.created()
        before = self.engine.users(self.endpoint)
        self.engine.create_user(self.endpoint, user)
        assert self.engine.users(self.endpoint) == before
        self.session(user).write(user.database)

    def test_creating_a_user_again_sets_the_password_it_is_given(self):
        old = self.created()
        new = User(old.name, new_secret(), old.database, old.connections)
        self.engine.create_user(self.endpoint, new)
        self.session(new).write(new.database)
        with pytest.raises(Refused):
            self.session(old)

    def test_creating_a_user_again_sets_the_rights_it_is_given(self):
        old = self.created()
        fields = old.name, old.password, old.database, old.connections
        self.engine.create_user(self.endpoint, User(*fields, read_only=True))
        with pytest.raises(Refused):
            self.session(old).write(old.database)
        self.engine.create_user(self.endpoint, old)
        self.session(old).write(old.database)

    def test_a_wrong_password_is_refused(self):
        user = self.created()
        with pytest.raises(Refused):
            self.session(user, password="wrong")

    def test_an_empty_password_is_refused(self):
        """S13."""
        user = self.created()
        with pytest.raises(Refused):
            self.log_in(username=user.name, password="", database=user.database)

    def test_a_user_has_no_rights_in_another_database(self):
        user, other = self.created(), self.created()
        with pytest.raises(Refused):
            session = self.session(user, database=other.database)
            session.write(other.database)

    def test_connections_beyond_the_limit_are_refused(self):
        user = self.created(connections=2)
        sessions = [self.session(user), self.session(user)]
        with pytest.raises(Refused):
            self.session(user)
        assert len(sessions) == 2

    def test_a_read_only_user_reads_what_others_make_later(self):
        writer = self.created()
        reader = self.created(database=writer.database, read_only=True)
        session = self.session(reader)
        self.session(writer).write(writer.database)
        assert session.count(writer.database) >= 1

    def test_a_read_only_user_changes_nothing(self):
        writer = self.created()
        reader = self.created(database=writer.database, read_only=True)
        self.session(writer).write(writer.database)
        for change in ("write", "wipe"):
            with pytest.raises(Refused):
                getattr(self.session(reader), change)(writer.database)

    def test_what_one_user_made_the_next_one_may_change_and_drop(self):
        """F75: A binding goes, the tables stay."""
        first = self.created()
        self.session(first).write(first.database)
        self.engine.drop_user(self.endpoint, first.name)
        second = self.created(database=first.database)
        session = self.session(second)
        session.write(first.database)
        assert session.count(first.database) >= 2
        session.wipe(first.database)

    def test_a_dropped_user_is_refused(self):
        """I5."""
        user = self.created()
        self.engine.drop_user(self.endpoint, user.name)
        assert user.name not in self.engine.users(self.endpoint)
        with pytest.raises(Refused):
            self.session(user)

    def test_a_session_that_was_open_before_the_drop_cannot_write(self):
        """F73, I5."""
        for read_only in (False, True):
            user = self.created(read_only=read_only)
            sessions = [self.session(user), self.session(user)]
            self.engine.drop_user(self.endpoint, user.name)
            for session in sessions:
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

    def test_users_come_and_go_side_by_side(self):
        """One push of many apps does that."""
        first = self.created()
        users = [replace(first, name=f"{first.name}{n}") for n in range(8)]
        with ThreadPoolExecutor(len(users)) as pool:
            create = functools.partial(self.engine.create_user, self.endpoint)
            list(pool.map(create, users))
            for user in users:
                self.session(user).write(user.database)
            drop = functools.partial(self.engine.drop_user, self.endpoint)
            list(pool.map(drop, [user.name for user in users]))
        left = {name for name in self.engine.users(self.endpoint) if first.name in name}
        assert left == {first.name}

    def test_users_are_the_bindings_and_not_the_servers_own(self):
        users = {self.created().name, self.created(read_only=True).name}
        found = set(self.engine.users(self.endpoint))
        assert users <= found
        assert all(name.startswith("u") for name in found)

    def test_the_credentials_have_the_keys_of_2014(self):
        user = User("u1", "secret", "d1", 1)
        endpoint = Endpoint("db.example.com", 20001, SECRET)
        document = self.engine.credentials(endpoint, user)
        assert set(document) >= KEYS_OF_THE_SEED
        assert document["host"] == document["hostname"] == "db.example.com"
        assert document["name"] == document["database"]
        assert document["user"] == document["username"] == "u1"
        assert (document["port"], document["password"]) == (20001, "secret")

    def test_the_uri_opens_the_database(self):
        user = self.created()
        host, port = self.endpoint.host, self.endpoint.port
        uri = urlsplit(self.engine.credentials(self.endpoint, user)["uri"])
        assert (uri.hostname, uri.port) == (host, port)
        database = uri.path.lstrip("/")
        session = self.log_in(
            username=uri.username, password=uri.password, database=database
        )
        session.write(database)
