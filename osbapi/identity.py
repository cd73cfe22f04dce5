"""Who asks, as far as the platform says so. For the log and the audit only."""

import base64
import binascii
import json
import re

from rest_framework.request import Request

from instances.models import Actor

_LONGEST_HEADER = 8192
_HOST = re.compile(r"[\w.-]{1,255}", re.A)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def actor(request: Request) -> Actor:
    """The platform's user, or the broker login when the platform names nobody."""
    user = _originating_user(request) or f"login {request.user.username}"
    return Actor(kind="platform", name=user, request_id=request_identity(request))


def request_identity(request: Request) -> str:
    """X-Broker-API-Request-Identity, made safe for logs and for the answer."""
    text = request.headers.get("X-Broker-API-Request-Identity", "")
    return _UNPRINTABLE.sub("", text)[:255]


def api_host(request: Request) -> str:
    """Which Cloud Controller calls: api.example.com/v2/info, without a scheme."""
    text = request.headers.get("X-Api-Info-Location", "")
    host = _HOST.match(text.strip().removeprefix("https://"))
    return host.group().lower() if host else ""


def _originating_user(request: Request) -> str:
    """'cloudfoundry <user id>'; a header that cannot be read counts as absent."""
    header = request.headers.get("X-Broker-API-Originating-Identity", "")
    platform, _, encoded = header[:_LONGEST_HEADER].partition(" ")
    padded = encoded.strip() + "=" * (-len(encoded.strip()) % 4)
    try:
        value = json.loads(base64.b64decode(padded, altchars=b"-_"))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    user = value.get("user_id") or value.get("username") or ""
    return _UNPRINTABLE.sub("", f"{platform} {user}")[:255] if user else ""
