"""A database engine in memory: it lives in the containers of a memory host."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from instances import errors
from instances.engines import Endpoint, User
from instances.engines import parameters as fields
from instances.engines.base import our_witness
from instances.engines.mariadb import SCHEMA, MariaDB
from tests.fakes import proofs
from tests.fakes.faults import Faults, counted
from tests.fakes.machine import FakeContainer, Machine


class Refused(Exception):
    """The server has refused a user."""


@dataclass
class Account:
    user: User
    sessions: int = 0


class FakeSession:
    """A user's open connection."""

    def __init__(self, server: FakeContainer, account: Account) -> None:
        self._server, self._account = server, account

    def write(self, database: str) -> None:
        self._refuse(database, read_only=False)
        self._server.databases[database].append(self._account.user.name)

    def count(self, database: str) -> int:
        self._refuse(database, read_only=True)
        return len(self._server.databases[database])

    def wipe(self, database: str) -> None:
        self._refuse(database, read_only=False)
        self._server.databases[database].clear()

    def _refuse(self, database: str, *, read_only: bool) -> None:
        user = self._account.user
        if self._server.is_read_only and not read_only:
            raise Refused("the server is read-only")
        if self._server.users.get(user.name) is not self._account:
            raise Refused("the connection has ended")
        if database != user.database or user.read_only > read_only:
            raise Refused("no rights")

    def close(self) -> None:
        self._account.sessions -= 1


class FakeEngine:
    """MariaDB's manners without its server."""

    name = "mariadb"
    port = 3306
    data_path, incoming_path = MariaDB.data_path, MariaDB.incoming_path
    create_schema = update_schema = SCHEMA
    bind_schema = fields.BIND_SCHEMA

    def __init__(
        self, machines: Callable[[], Iterable[Machine]], faults: Faults
    ) -> None:
        self._machines, self.faults = machines, faults
        self.is_down = False
        self.parameters: dict[str, dict[str, Any]] = {}
        """What each database was given, by its name."""

    def refuse_if_down(self) -> None:
        if self.is_down:
            raise errors.EngineUnreachable(detail="the engine is down")

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        MariaDB().check_parameters(parameters)

    def environment(self, admin_secret: str) -> dict[str, str]:
        return MariaDB().environment(admin_secret)

    @counted
    def check(self, endpoint: Endpoint) -> None:
        self._server(endpoint)

    @counted
    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        """As the images do: it holds until the container's environment is another."""
        server = self._server(endpoint)
        changed = [repr(server.spec.environment), repr(self.environment(secret))]
        server.databases[proofs.ADMIN] = changed

    @counted
    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        self.check_parameters(parameters)
        self._server(endpoint).databases.setdefault(name, [])
        self.parameters.setdefault(name, {}).update(parameters)
        return False

    @counted
    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        self.check_parameters(parameters)
        self._server(endpoint)
        self.parameters.setdefault(name, {}).update(parameters)
        return False

    @counted
    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._server(endpoint)
        return dict(self.parameters.get(name, {}))

    @counted
    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        self._server(endpoint)
        self.parameters[name] = dict(former)
        return False

    @counted
    def create_user(self, endpoint: Endpoint, user: User) -> None:
        users = self._server(endpoint).users
        users.setdefault(user.name, Account(user)).user = user

    @counted
    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        self._server(endpoint).users.pop(name, None)

    @counted
    def real_data_path(self, endpoint: Endpoint) -> str:
        self._server(endpoint)
        return self.data_path

    @counted
    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        self._server(endpoint).databases[proofs.WITNESS] = [our_witness(witness)]

    @counted
    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        databases = self._server(endpoint).databases
        if databases.get(proofs.WITNESS) == [our_witness(witness)]:
            del databases[proofs.WITNESS]

    @counted
    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        proof = self.proof(database, witness)
        return proofs.inventory(self._server(endpoint), proof)

    def proof(self, database: str, witness: str) -> str:
        return proofs.proof(database, witness)

    @counted
    def sessions(self, endpoint: Endpoint) -> dict[str, int]:
        users = self._server(endpoint).users.values()
        return {row.user.name: row.sessions for row in users if row.sessions}

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        return MariaDB().credentials(endpoint, user)

    @counted
    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        self._server(endpoint).is_read_only = is_read_only

    def log_in(
        self, host: str, port: int, *, username: str, password: str
    ) -> FakeSession:
        """What an app does. Raise Refused."""
        server = self._listening(host, port)
        account = None if server is None else server.users.get(username)
        if server is None or account is None or account.user.password != password:
            raise Refused("access denied")
        if account.sessions >= account.user.connections:
            raise Refused("too many connections")
        account.sessions += 1
        return FakeSession(server, account)

    def users(self, endpoint: Endpoint) -> list[str]:
        return sorted(self._server(endpoint).users)

    def databases(self, endpoint: Endpoint) -> dict[str, list[str]]:
        """As its own server sees them."""
        return self._server(endpoint).databases

    def _server(self, endpoint: Endpoint) -> FakeContainer:
        server = self._listening(endpoint.host, endpoint.port)
        verifier = self.environment(endpoint.admin_secret)
        if server is None or self._verifier(server) != repr(verifier):
            raise errors.EngineUnreachable(detail="nobody there, or access denied")
        return server

    def _verifier(self, server: FakeContainer) -> str:
        made_with = repr(server.spec.environment)
        then, changed = server.databases.get(proofs.ADMIN, ["", ""])
        return changed if then == made_with else made_with

    def _listening(self, host: str, port: int) -> FakeContainer | None:
        for machine in self._machines():
            for container in machine.running():
                if container.address == (host, port):
                    return container
        return None
