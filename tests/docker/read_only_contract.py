"""What every engine does when a database is full, said once for all of them."""

from typing import Any

import pytest

from tests.fakes import Refused


class ReadOnlyContract:
    """Facts that EngineContract has among its own."""

    def set_read_only(self, user: Any, is_read_only: bool) -> None:
        self.engine.set_read_only(self.endpoint, user.database, is_read_only)

    def held(self, **changes: Any) -> Any:
        """A user who has written, of a database that is read-only until the end."""
        user = self.created(**changes)
        self.session(user).write(user.database)
        self.set_read_only(user, True)
        self.addCleanup(self.set_read_only, user, False)
        return user

    def assert_cannot_write(self, user: Any) -> None:
        with pytest.raises(Refused):
            self.session(user).write(user.database)

    def test_a_held_database_is_read_and_not_written(self):
        user = self.held()
        self.assert_cannot_write(user)
        assert self.session(user).count(user.database) >= 1

    def test_a_session_that_was_open_before_cannot_write(self):
        user = self.created()
        session = self.session(user)
        session.write(user.database)
        self.set_read_only(user, True)
        self.addCleanup(self.set_read_only, user, False)
        with pytest.raises(Refused):
            session.write(user.database)

    def test_it_is_written_again_once_it_is_let_go(self):
        user = self.held()
        self.set_read_only(user, False)
        session = self.session(user)
        session.write(user.database)
        assert session.count(user.database) >= 2
        session.wipe(user.database)

    def test_holding_and_letting_go_twice_is_fine(self):
        user = self.held()
        self.set_read_only(user, True)
        self.assert_cannot_write(user)
        for _ in range(2):
            self.set_read_only(user, False)
            self.session(user).write(user.database)

    def test_a_quiet_pass_ends_no_session(self):
        """Every minute says again what is wanted."""
        user = self.created()
        session = self.session(user)
        self.set_read_only(user, False)
        session.write(user.database)

    def test_a_user_that_is_made_meanwhile_writes_afterwards(self):
        user = self.held()
        other = self.created(database=user.database)
        self.assert_cannot_write(other)
        self.set_read_only(user, False)
        self.session(other).write(user.database)

    def test_a_user_that_is_made_again_meanwhile_writes_only_afterwards(self):
        """F66."""
        user = self.held()
        self.engine.create_user(self.endpoint, user)
        self.assert_cannot_write(user)
        self.set_read_only(user, False)
        self.session(user).write(user.database)

    def test_a_user_is_dropped_meanwhile(self):
        user = self.held()
        self.engine.drop_user(self.endpoint, user.name)
        assert user.name not in self.engine.users(self.endpoint)
        with pytest.raises(Refused):
            self.session(user)

    def test_a_read_only_user_stays_one(self):
        writer = self.held()
        reader = self.created(database=writer.database, read_only=True)
        self.set_read_only(writer, False)
        self.assert_cannot_write(reader)
        assert self.session(reader).count(writer.database) >= 1
