"""What the broker asks of a database engine, spoken over the engine's protocol."""

import secrets
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Endpoint:
    """A database server as its administrator reaches it."""

    host: str
    port: int
    admin_secret: str


@dataclass(frozen=True)
class User:
    """A binding's user: its name, password and what it may do where."""

    name: str
    password: str
    database: str
    connections: int
    """How many it may hold at once."""


class Engine(Protocol):
    """One kind of database. Every method can run twice.

    Those that take an endpoint raise EngineUnreachable if it does not answer.
    """

    name: str
    port: int

    def environment(self, admin_secret: str) -> dict[str, str]:
        """The container's environment: a verifier of the secret, never the secret."""

    def check(self, endpoint: Endpoint) -> None:
        """Log in as administrator and ask one query."""

    def create_database(self, endpoint: Endpoint, name: str) -> None: ...

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        """Create it, or give an existing one this password and these rights."""

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        """Drop it and end its sessions; return when they are gone."""

    def credentials(self, host: str, port: int, user: User) -> dict[str, Any]:
        """The document that an app gets, in the field's usual keys."""


def new_secret() -> str:
    """A password of 32 characters (192 bits) that needs no quoting anywhere."""
    return secrets.token_urlsafe(24)
