"""HTTP to a Docker Engine, for docker-py: each new connection sees who answers."""

import http.client
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter

from instances import errors
from instances.containers import docker_trouble
from instances.containers.access import Access
from instances.containers.deadlines import current
from instances.containers.docker_dialling import DialFailed, Line, dialled

MOST_GREETING = 4 * 2**20


@dataclass(frozen=True)
class Greeting:
    """What an engine says of itself on each new connection."""

    engine_id: str
    api_version: str


_greetings: dict[str, Greeting] = {}
"""The latest of each host of this process, by URL."""


def greeting_of(access: Access) -> Greeting:
    """From an earlier connection, or one for this. Raise DialFailed, WrongEngine."""
    if access.url not in _greetings:
        connection = EngineConnection(access)
        connection.connect()
        connection.close()
    return _greetings[access.url]


def forget_greeting(access: Access) -> None:
    """After a failure: another version may answer the next time."""
    _greetings.pop(access.url, None)


class EngineConnection(urllib3.connection.HTTPConnection):
    """A connection that belongs to one thread at a time."""

    def __init__(self, access: Access) -> None:
        super().__init__("docker")
        self._access = access

    def connect(self) -> None:
        limits = current()
        try:
            with dialled(self._access, limits) as line:
                greeting = _greet(self._access, line)
        except (OSError, http.client.HTTPException) as error:
            raise DialFailed(docker_trouble.explain(error, self._access)) from error
        _greetings[self._access.url] = greeting
        self.sock = line

    def request(self, *args: Any, **options: Any) -> None:
        line: Any = self.sock
        if line is not None:
            line.limits = current()
        super().request(*args, **options)


def _greet(access: Access, line: Line) -> Greeting:
    """Raise DialFailed if it is no engine, WrongEngine if it is not the known one."""
    # Who is refused after the handshake may be told so only when reading.
    with suppress(ssl.SSLEOFError, ConnectionError):
        line.sendall(b"GET /info HTTP/1.1\r\nHost: docker\r\n\r\n")
    answer = http.client.HTTPResponse(line, method="GET")
    answer.begin()
    body = answer.read(MOST_GREETING)
    answer.close()
    try:
        told = json.loads(body)
        engine_id = str(told["ID"])
    except (ValueError, KeyError, TypeError):
        said = f"{answer.status} {body[:120].decode(errors='replace')}".strip()
        raise DialFailed(docker_trouble.not_docker(access, said)) from None
    if access.engine_id and engine_id != access.engine_id:
        raise errors.WrongEngine(found=engine_id, known=access.engine_id)
    return Greeting(engine_id, answer.headers.get("Api-Version", ""))


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, access: Access, **options: Any) -> None:
        super().__init__("docker", **options)
        self._access = access

    def _new_conn(self) -> Any:
        return EngineConnection(self._access)


class EngineAdapter(HTTPAdapter):
    """Sends every request to the one engine: no proxy, no other CA, no redirect."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._pool = _Pool(access, maxsize=4)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Done when the connection is made."""

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        super().close()
