"""What the broker asks of a database engine, spoken over the engine's protocol."""

import os
import re
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from instances import errors
from instances.engines import parameters as engine_parameters

_OUR_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")
_USER_NAME = re.compile(r"u[0-9a-f]+")
_WITNESS = re.compile(r"[0-9a-f]{32}")
_COUNTED = re.compile(r"inventory ([a-z]+) ([0-9]+)")
COMPLETE = "inventory complete"
LINES_SHOWN = 10


@dataclass(frozen=True)
class Endpoint:
    """A database server as its administrator reaches it."""

    host: str
    port: int
    admin_secret: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Those of the plan that its container was made with, for a Configurable engine."""


@dataclass(frozen=True)
class Startup:
    """What a container is started with."""

    port: int
    """Where the server listens inside."""
    environment: Mapping[str, str]
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """A binding's user: its name, password and what it may do where."""

    name: str
    password: str
    database: str
    connections: int
    """How many it may hold at once."""
    read_only: bool = False


class Engine(Protocol):
    """One kind of database. Every method can run twice.

    Those that take an endpoint raise EngineUnreachable if it does not answer.
    """

    name: str
    port: int
    data_path: str
    """The folder inside the container that holds all the data."""
    incoming_path: str
    """A folder next to it: data_path of another container, put in here before the
    first start, takes the place of the image's own."""
    create_schema: dict[str, Any]
    """What create_database takes: JSON Schema draft 4."""
    update_schema: dict[str, Any]
    bind_schema: dict[str, Any]
    """The fields of User that a platform may choose."""

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Raise InvalidRequest, all of a database's parameters given together.

        What passes here is not refused by create_database and update_database.
        """

    def environment(self, admin_secret: str) -> dict[str, str]:
        """The container's environment: a verifier of the secret, never the secret."""

    def check(self, endpoint: Endpoint) -> None:
        """Log in as administrator and ask one query."""

    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        """Give the administrator another password, durably.

        It outlives restarts of the container, although that is made with a verifier
        of the first one. Raise InvalidRequest where there is no administrator.
        """

    def create_database(
        self,
        endpoint: Endpoint,
        name: str,
        parameters: Mapping[str, Any] = engine_parameters.NONE,
    ) -> bool:
        """Create it, or give an existing one these parameters.

        They are kept in the data directory. Return whether some take effect only
        once the container is restarted. Raise InvalidRequest.
        """

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        """Change these parameters and no others; otherwise as create_database."""

    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What restore_settings needs to undo an update to these parameters: JSON."""

    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        """Take an update back; what it returns is as with update_database."""

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        """Create it, or give an existing one this password and these rights."""

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        """Drop it and end its sessions; return when they are gone."""

    def users(self, endpoint: Endpoint) -> set[str]:
        """The names of the bindings' users that exist."""

    def databases(self, endpoint: Endpoint) -> set[str] | None:
        """The names of those that exist; None if there is one, and it has no name."""

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        """Let the bindings' users only read what is stored, or write again.

        It holds for users that are created meanwhile, and need not outlive a restart
        of the server. Sessions may be ended by it.
        """

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        """The document that an app gets, in the field's usual keys."""

    def real_data_path(self, endpoint: Endpoint) -> str:
        """Where the server itself says that its data is, without a slash at the end."""

    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        """Write durably what the backup taken next must contain.

        There is one witness at a time, of 32 hexadecimal digits: another takes its
        place. The server is left so that its copy is soon recovered.
        """

    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        """Remove it, if it is still the one that is there."""

    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        """How many of what there are, and under "witness" whether this one is: 0 or 1.

        MariaDB and PostgreSQL count "databases", and "tables" of this one that can be
        opened; Redis counts "keys", with those that expire soon.
        """

    def proof(self, database: str, witness: str) -> str:
        """The same inventory for the image's own client: what goes into PROVE.

        With that in its environment the image takes no connection from outside: it
        starts, prints what read_inventory reads, and ends. It holds no secret.
        """


@runtime_checkable
class Watchable(Engine, Protocol):
    """An engine that knows who is connected."""

    def sessions(self, endpoint: Endpoint) -> dict[str, int]:
        """How many connections each binding's user has open, if any."""


@runtime_checkable
class Configurable(Engine, Protocol):
    """An engine that knows nothing of its images: settings of the plan describe them.

    It makes no users: all bindings of a service instance share what it generates.
    """

    def mistakes(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What is wrong with them: the setting, and a sentence that names the cure."""

    def startup(self, endpoint: Endpoint) -> Startup:
        """In place of `port` and `environment`. Raise ContainerFailed."""


def new_secret() -> str:
    """A password of 32 characters (192 bits) that needs no quoting anywhere."""
    return secrets.token_urlsafe(24)


def our_name(name: str) -> str:
    """The name as it is. Raise ValueError if this broker does not make such names.

    Identifiers cannot be bound as values: an engine lets no other into a statement
    (SECURITY S33).
    """
    if not _OUR_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name that this broker makes")
    return name


def our_witness(witness: str) -> str:
    """The witness as it is. Raise ValueError if it is not 32 hexadecimal digits."""
    if not _WITNESS.fullmatch(witness):
        raise ValueError(f"{witness!r} is not a witness")
    return witness


def counted(lines: Iterable[str]) -> dict[str, int]:
    """What the lines of an inventory say, such as `inventory tables 12`."""
    found = [_COUNTED.fullmatch(line.strip()) for line in lines]
    return {match[1]: int(match[2]) for match in found if match}


def read_inventory(log: str) -> dict[str, int]:
    """What a container printed, as its last lines, that was started with a proof.

    Its exit code counts too. Raise ContainerFailed, with the log's last lines, if it
    did not come to its end.
    """
    lines = log.splitlines()
    inventory = counted(lines)
    if COMPLETE not in lines or "witness" not in inventory:
        last = "\n".join(lines[-LINES_SHOWN:])
        raise errors.ContainerFailed(detail=f"the inventory is not complete:\n{last}")
    return inventory


def binding_users(names: Iterable[str]) -> set[str]:
    """Those that are a binding's: the server's own accounts have other names."""
    return {name for name in names if _USER_NAME.fullmatch(name)}


def relational_credentials(
    scheme: str, endpoint: Endpoint, user: User
) -> dict[str, Any]:
    """The keys of the 2014 broker, and those that buildpacks look for."""
    address = f"{scheme}://{endpoint.host}:{endpoint.port}/{user.database}"
    jdbc = f"jdbc:{address}?user={user.name}&password={user.password}"
    return {
        "uri": address.replace("://", f"://{user.name}:{user.password}@"),
        "jdbcurl": jdbc,
        "jdbcUrl": jdbc,
        "name": user.database,
        "database": user.database,
        **login(endpoint, user),
    }


def login(endpoint: Endpoint, user: User) -> dict[str, Any]:
    return {
        "host": endpoint.host,
        "hostname": endpoint.host,
        "port": endpoint.port,
        "user": user.name,
        "username": user.name,
        "password": user.password,
    }


def sessions_of(names: Iterable[str]) -> dict[str, int]:
    """Counted by user, from one name for each session; only those of bindings."""
    return Counter(name for name in names if _USER_NAME.fullmatch(name))


@contextmanager
def hung_up_after(fileno: int, limit_s: float) -> Iterator[None]:
    """Shut a driver's connection down once the limit is reached.

    For drivers that else wait for ever for a server that has stopped in mid-answer.
    """
    with socket.socket(fileno=os.dup(fileno)) as line:
        timer = threading.Timer(limit_s, line.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
