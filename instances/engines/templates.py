"""Texts of an operator with ${names} in them, for what the broker generates.

Names are replaced, nothing is executed. All values come from the container's own
secret: the same container has the same ones at every try and after every restart.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from string import Template
from typing import Any

from instances.engines.base import Endpoint
from instances.engines.verifiers import sha_256

_VALUES: dict[str, Callable[[Endpoint], str | int]] = {
    "host": lambda endpoint: endpoint.host,
    "port": lambda endpoint: endpoint.port,
    "username": lambda endpoint: "u" + _made(endpoint, "username")[:12],
    "password": lambda endpoint: _made(endpoint, "password"),
    "password_sha256": lambda endpoint: sha_256(_made(endpoint, "password")),
    "database": lambda endpoint: "d" + _made(endpoint, "database")[:12],
    "secret": lambda endpoint: _made(endpoint, "secret"),
}
KNOWN = ", ".join(f"${{{name}}}" for name in _VALUES)


def _made(endpoint: Endpoint, purpose: str) -> str:
    """48 hexadecimal digits (192 bits): they need no quoting anywhere."""
    key, message = endpoint.admin_secret.encode(), f"generic {purpose}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:48]


def values(endpoint: Endpoint) -> dict[str, str | int]:
    return {name: value(endpoint) for name, value in _VALUES.items()}


def mistake(text: str) -> str:
    """A sentence on what is wrong with the template, or nothing."""
    template = Template(text)
    if not template.is_valid():
        return f"{text[:60]!r}: write $$ for a dollar sign; known are {KNOWN}."
    unknown = [name for name in template.get_identifiers() if name not in _VALUES]
    if unknown:
        return (
            f"${{{unknown[0]}}} is unknown; known are {KNOWN}. "
            "Write $$ for a dollar sign."
        )
    return ""


def fill(template: str, generated: Mapping[str, Any]) -> str:
    return Template(template).substitute(generated)


def fill_all(template: Any, generated: Mapping[str, Any]) -> Any:
    """Every text in lists and objects. One that is ${port} alone becomes a number."""
    if template == "${port}":
        return generated["port"]
    if isinstance(template, str):
        return fill(template, generated)
    if isinstance(template, list):
        return [fill_all(item, generated) for item in template]
    if isinstance(template, dict):
        return {name: fill_all(item, generated) for name, item in template.items()}
    return template
