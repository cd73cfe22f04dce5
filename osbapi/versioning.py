"""X-Broker-API-Version: any 2.x is served."""

import re

from rest_framework.request import Request

from osbapi.errors import UnsupportedVersion

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


def is_served(text: str) -> bool:
    """Minor versions only ever add, so none is too new."""
    match = _VERSION.fullmatch(text.strip())
    return match is not None and int(match[1]) == 2


def check_version(request: Request) -> None:
    """Raise UnsupportedVersion."""
    if not is_served(request.headers.get("X-Broker-API-Version", "")):
        raise UnsupportedVersion(
            "Send the header X-Broker-API-Version with a version 2.x, such as 2.17."
        )
