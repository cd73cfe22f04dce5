"""The catalog as it lies ready, before the framework wakes up.

For a platform that was let in a moment ago and asks for nothing but the document that
was read a moment ago; all else goes the ordinary way, which says what is wrong and
reads anew what is out of date.
"""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from osbapi import responses
from osbapi.authentication import key_of, known
from osbapi.versioning import is_served

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PATHS = ("/v2/catalog", "//v2/catalog")
UNUSUAL = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_X_BROKER_API_REQUEST_IDENTITY")
"""What the ordinary answer depends on besides."""


def with_catalog(
    application: Application, *, answered: Callable[[str, int, float], None]
) -> Application:
    """Say what was answered here: method, status, and the seconds that it took."""

    def wrapped(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        started_at = perf_counter()
        catalog = _find(environ)
        if catalog is None:
            return application(environ, start_response)
        length = ("Content-Length", str(len(catalog.content)))
        start_response("200 OK", [*catalog.headers.items(), length])
        answered("GET", 200, perf_counter() - started_at)
        return [catalog.content]

    return wrapped


def _find(environ: dict[str, Any]) -> responses.Catalog | None:
    if environ["PATH_INFO"] not in PATHS or environ["REQUEST_METHOD"] != "GET":
        return None
    if any(name in environ for name in UNUSUAL):
        return None
    if not is_served(environ.get("HTTP_X_BROKER_API_VERSION", "")):
        return None
    if known.find(key_of(environ.get("HTTP_AUTHORIZATION", ""))) is None:
        return None
    return responses.catalogs.find(responses.CATALOG)
