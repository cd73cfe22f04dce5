"""Addresses of Docker Engines, told apart by how safe they are."""

import ipaddress
from urllib.parse import urlsplit

REFUSAL = (
    "Plain tcp:// makes whoever reaches that port root on the host: use unix://, "
    "or set ALLOW_INSECURE_DOCKER=1 if nobody else can reach it."
)


def is_insecure(url: str) -> bool:
    """Whether the URL is plain TCP that leaves this machine (SECURITY S1)."""
    parts = urlsplit(url)
    if parts.scheme != "tcp" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
