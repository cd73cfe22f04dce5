"""Name the request that this thread is at, for every line that is logged meanwhile.

Around Django, whose own lines about an answer come after all middleware.
"""

from collections.abc import Callable, Iterable
from typing import Any

from brokersite.prefix import Application
from instances import tracing

LONGEST_ID = 255


def traced(application: Application) -> Application:
    def wrapped(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        token = tracing.enter(**ids(environ))
        try:
            return application(environ, start_response)
        finally:
            tracing.leave(token)

    return wrapped


def ids(environ: dict[str, Any]) -> dict[str, str]:
    """What Cloud Foundry's router and the platform call this request."""
    sent = environ.get
    return {
        "request_id": sent("HTTP_X_VCAP_REQUEST_ID", "")[:LONGEST_ID],
        "request_identity": sent("HTTP_X_BROKER_API_REQUEST_IDENTITY", "")[:LONGEST_ID],
    }
