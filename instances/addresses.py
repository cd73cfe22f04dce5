"""Addresses of Docker Engines, told apart by how safe they are."""

import ipaddress
import re
from urllib.parse import urlsplit

REFUSAL = (
    "Plain tcp:// makes whoever reaches that port root on the host: use unix://, "
    "ssh:// or TLS certificates, or set ALLOW_INSECURE_DOCKER=1 if nobody else can "
    "reach it."
)
SHAPE = "Give unix://PATH, tcp://HOST:PORT or ssh://USER@HOST."

_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def is_insecure(url: str, *, has_tls: bool = False) -> bool:
    """Whether the URL is plain TCP that leaves this machine (SECURITY S1)."""
    parts = urlsplit(url)
    if parts.scheme != "tcp" or parts.hostname == "localhost" or has_tls:
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def is_address(url: str) -> bool:
    """Whether it is the URL of a Docker Engine, and nothing more."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.query or parts.fragment or parts.password:
        return False
    if parts.scheme == "unix":
        return not parts.netloc and parts.path.startswith("/") and len(parts.path) > 1
    if parts.path not in ("", "/") or not _HOST.fullmatch(parts.hostname or ""):
        return False
    if parts.scheme == "tcp":
        return port is not None and parts.username is None
    # What begins with a dash would be an option of ssh.
    is_user = parts.username is None or _USER.fullmatch(parts.username) is not None
    return parts.scheme == "ssh" and is_user
