"""Any image: a plan's settings say how its containers start and what apps are given.

Nothing is known of the server in it, so no users are made there. All bindings of a
service instance share one set of credentials, and an unbind revokes nothing.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from instances import errors
from instances.engines import parameters as fields
from instances.engines import probes
from instances.engines.base import Configurable, Endpoint, Startup, User, our_name
from instances.engines.templates import fill, fill_all, mistake, values

DEFAULTS: dict[str, Any] = {
    "port": None,
    "command": [],
    "environment": {},
    "readiness": "tcp",
    "readiness_path": "/",
    "readiness_status": 200,
    "credentials": {},
    "data_path": "",
}
"""Every setting there is; the port and the credentials have to be given."""

SCHEMA = fields.nothing(
    "Any image",
    "This service takes no parameters: nothing is known of the server in its image.",
)
BIND_SCHEMA = fields.nothing(
    "Service binding",
    "Bindings of this service take no parameters: they share the same credentials, so "
    "none can be read-only.",
)

UNPROVABLE = "Nothing is known of the data in this image: no backup could be proved."

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_PATH = re.compile(r"/[!-~]*", re.ASCII)

Mistakes = Iterator[tuple[str, str]]


class Generic:
    name = "generic"
    port = 0
    """Not known here: startup() tells."""
    data_path = ""
    incoming_path = ""
    """Not known: no other container can take the data over."""
    create_schema = SCHEMA
    update_schema = SCHEMA
    bind_schema = BIND_SCHEMA

    def environment(self, admin_secret: str) -> dict[str, str]:
        """Not known here: startup() tells."""
        return {}

    def mistakes(self, settings: Mapping[str, Any]) -> Mistakes:
        for name in sorted(set(settings) - set(DEFAULTS)):
            yield name, f"There is no such setting; known are {', '.join(DEFAULTS)}."
        found = {**DEFAULTS, **settings}
        if not _is_number(found["port"], 1, 65535):
            yield "port", "Give the port on which the server listens: 1 to 65535."
        yield from _command(found["command"])
        yield from _environment(found["environment"])
        yield from _readiness(found)
        yield from _credentials(found["credentials"])
        if found["data_path"] != "" and not _is_path(found["data_path"]):
            yield "data_path", "Give a whole path in the container, such as /data."

    def startup(self, endpoint: Endpoint) -> Startup:
        settings, generated = self._settings(endpoint), values(endpoint)
        return Startup(
            port=settings["port"],
            environment={
                name: fill(text, generated)
                for name, text in settings["environment"].items()
            },
            command=tuple(fill(text, generated) for text in settings["command"]),
        )

    def check(self, endpoint: Endpoint) -> None:
        settings = self._settings(endpoint)
        if settings["readiness"] == "tcp":
            return probes.look_at_tcp(endpoint)
        path, status = settings["readiness_path"], settings["readiness_status"]
        probes.look_at_http(endpoint, path=path, status=status)

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        """The server is the database."""
        our_name(name)
        return self.update_database(endpoint, name, parameters)

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        fields.check(SCHEMA, parameters)
        return False

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        fields.check(SCHEMA, parameters)

    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {}

    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        return False

    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        raise errors.InvalidRequest(
            "There is no administrator in this image: its password is what apps use, "
            "and only a new service instance gets another one."
        )

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        """There is one for all. A server that does not answer binds no app."""
        if user.read_only:
            raise errors.InvalidRequest(BIND_SCHEMA["description"])
        self.check(endpoint)

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        """The other bindings go on using it."""

    def users(self, endpoint: Endpoint) -> set[str]:
        return set()

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        """The same for every user."""
        template = self._settings(endpoint)["credentials"]
        return dict(fill_all(template, values(endpoint)))

    def databases(self, endpoint: Endpoint) -> set[str] | None:
        return None

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        """Raise ContainerFailed: only stopping it keeps it from writing."""
        if is_read_only:
            raise errors.ContainerFailed(detail="it cannot be made read-only")

    def real_data_path(self, endpoint: Endpoint) -> str:
        raise errors.BackupRefused(UNPROVABLE)

    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        raise errors.BackupRefused(UNPROVABLE)

    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        """None was left."""

    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        raise errors.BackupRefused(UNPROVABLE)

    def proof(self, database: str, witness: str) -> str:
        raise errors.BackupRefused(UNPROVABLE)

    def _settings(self, endpoint: Endpoint) -> dict[str, Any]:
        """All of them. Raise ContainerFailed if they were never checked."""
        for name, sentence in self.mistakes(endpoint.settings):
            raise errors.ContainerFailed(detail=f"the plan's {name}: {sentence}")
        return {**DEFAULTS, **endpoint.settings}


def _command(value: Any) -> Mistakes:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        yield "command", 'Give a list of texts, such as ["--verbose"].'
        return
    yield from _templates("command", value)


def _environment(value: Any) -> Mistakes:
    if not isinstance(value, dict):
        yield "environment", "Give names and values, such as PASSWORD=${password}."
        return
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            yield "environment", f"{name[:60]!r} is no name of a variable."
        if not isinstance(text, str):
            yield "environment", f"{name[:60]}: give a text; put it in quotes."
    yield from _templates("environment", value)


def _readiness(found: Mapping[str, Any]) -> Mistakes:
    if found["readiness"] not in ("tcp", "http"):
        yield "readiness", "Give tcp or http."
    path = found["readiness_path"]
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        yield (
            "readiness_path",
            "Give a path that begins with / and has no spaces, such as /health.",
        )
    if not _is_number(found["readiness_status"], 200, 599):
        yield "readiness_status", "Give an HTTP status from 200 to 599, such as 200."


def _credentials(value: Any) -> Mistakes:
    if not isinstance(value, dict) or not value:
        yield (
            "credentials",
            'Give a JSON object, such as {"uri": "http://${host}:${port}/"}.',
        )
        return
    if any(leaf is None for leaf in _leaves(value)):
        yield "credentials", "Replace null: platforms refuse it."
    yield from _templates("credentials", value)


def _templates(setting: str, value: Any) -> Mistakes:
    for leaf in _leaves(value):
        sentence = mistake(leaf) if isinstance(leaf, str) else ""
        if sentence:
            yield setting, sentence


def _leaves(value: Any) -> Iterator[Any]:
    """What stands in lists and objects, at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_number(value: Any, lowest: int, highest: int) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and lowest <= value <= highest


def _is_path(value: Any) -> bool:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        return False
    return value != "/" and not {"", ".", ".."} & set(value.split("/")[1:])


ENGINE: Configurable = Generic()
