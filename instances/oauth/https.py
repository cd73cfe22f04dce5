"""Ask a service over verified TLS, without redirects and without proxies."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from instances import errors

TIMEOUT_S = 5
"""For each part of an answer."""
TOTAL_S = 15
LARGEST = 1024 * 1024
WAIT_S = 1.0
_SLOTS = threading.BoundedSemaphore(2)
"""Of a process's few threads, no more wait for a login service that hangs: anybody
may begin to log in, and the platform must still be answered."""
_EPOCH = 10**9


@dataclass(frozen=True)
class Answer:
    status: int
    document: dict[str, Any]
    """Empty if it is no JSON object."""
    retry_after_s: int = 0
    is_too_large: bool = False


def get(
    url: str,
    *,
    ca: str,
    headers: Mapping[str, str] | None = None,
    largest: int = LARGEST,
) -> Answer:
    """Raise LoginUnavailable."""
    return _ask("GET", url, ca, None, headers or {}, largest)


def post(
    url: str, form: Mapping[str, str], *, ca: str, headers: Mapping[str, str]
) -> Answer:
    """Raise LoginUnavailable."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return _ask("POST", url, ca, urlencode(form), {**headers, **kind}, LARGEST)


def _ask(
    method: str,
    url: str,
    ca: str,
    body: str | None,
    headers: Mapping[str, str],
    largest: int,
) -> Answer:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise errors.LoginUnavailable(detail=f"{url} is no https:// address")
    if not _SLOTS.acquire(timeout=WAIT_S):
        raise errors.LoginUnavailable(detail=f"{parts.netloc} is waited for already")
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    accepted = {"Accept": "application/json", **headers}
    try:
        with _connected(parts.hostname, parts.port, ca) as connection:
            connection.request(method, target, body, accepted)
            response = connection.getresponse()
            content = response.read(largest + 1)
    except (OSError, http.client.HTTPException) as error:
        # The host alone: what is asked for may hold what is secret.
        raise errors.LoginUnavailable(detail=f"{parts.netloc}: {error}") from error
    finally:
        _SLOTS.release()
    is_too_large = len(content) > largest
    return Answer(
        response.status,
        {} if is_too_large else _document(content),
        _seconds(response.headers.get("Retry-After", "")),
        is_too_large,
    )


@contextmanager
def _connected(
    host: str, port: int | None, ca: str
) -> Iterator[http.client.HTTPSConnection]:
    """A connection that is gone after TOTAL_S. Raise TimeoutError then."""
    # With a CA of its own, the system's do not count.
    context = ssl.create_default_context(cadata=ca or None)
    connection = http.client.HTTPSConnection(
        host, port, timeout=TIMEOUT_S, context=context
    )
    plain = socket.create_connection((host, connection.port), TIMEOUT_S)
    # The same connection: TLS takes the other one away.
    guard, is_over = plain.dup(), threading.Event()

    def cut() -> None:
        is_over.set()
        with suppress(OSError):
            guard.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TOTAL_S, cut)
    timer.daemon = True
    timer.start()
    try:
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        yield connection
    except (OSError, http.client.HTTPException) as error:
        if is_over.is_set():
            raise TimeoutError(f"no whole answer in {TOTAL_S} s") from error
        raise
    finally:
        timer.cancel()
        plain.close()
        connection.close()
        guard.close()
    if is_over.is_set():
        raise TimeoutError(f"no whole answer in {TOTAL_S} s")


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(retry_after: str) -> int:
    """Cloud Controller gives the moment, in seconds since 1970."""
    if not (retry_after.isascii() and retry_after.isdigit()) or len(retry_after) > 12:
        return 0
    number = int(retry_after)
    return max(0, number - int(time.time())) if number > _EPOCH else number
