"""Ask a login service over verified TLS, without redirects and without proxies."""

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from instances import errors

TIMEOUT_S = 5
LARGEST = 1024 * 1024
WAIT_S = 1.0
_SLOTS = threading.BoundedSemaphore(2)
"""Of a process's few threads, no more wait for a login service that hangs: anybody
may begin to log in, and the platform must still be answered."""


@dataclass(frozen=True)
class Answer:
    status: int
    document: dict[str, Any]
    """Empty if it is no JSON object."""


def get(url: str, *, ca: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Raise LoginUnavailable."""
    return _ask("GET", url, ca, None, headers or {})


def post(
    url: str, form: Mapping[str, str], *, ca: str, headers: Mapping[str, str]
) -> Answer:
    """Raise LoginUnavailable."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return _ask("POST", url, ca, urlencode(form), {**headers, **kind})


def _ask(
    method: str, url: str, ca: str, body: str | None, headers: Mapping[str, str]
) -> Answer:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise errors.LoginUnavailable(detail=f"{url} is no https:// address")
    # With a CA of its own, the system's do not count.
    context = ssl.create_default_context(cadata=ca or None)
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=TIMEOUT_S, context=context
    )
    if not _SLOTS.acquire(timeout=WAIT_S):
        raise errors.LoginUnavailable(detail=f"{parts.netloc} is waited for already")
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    accepted = {"Accept": "application/json", **headers}
    try:
        connection.request(method, target, body, accepted)
        response = connection.getresponse()
        content = response.read(LARGEST)
    except (OSError, http.client.HTTPException) as error:
        # The host alone: what is asked for may hold what is secret.
        raise errors.LoginUnavailable(detail=f"{parts.netloc}: {error}") from error
    finally:
        connection.close()
        _SLOTS.release()
    return Answer(response.status, _document(content))


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
