"""Serve the site below a path: https://host/prefix/v2/… (OSB-CHECKLIST 8)."""

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def below(prefix: str, application: Application) -> Application:
    """Take the prefix of PUBLIC_URL off the path, where the router has left it on."""
    if not prefix:
        return application

    def wrapped(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
            environ["RAW_URI"] = environ.get("RAW_URI", "").removeprefix(prefix)
        environ["SCRIPT_NAME"] = prefix
        return application(environ, start_response)

    return wrapped
