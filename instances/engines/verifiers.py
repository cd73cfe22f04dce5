"""What servers store in place of a password: it proves one, and is none.

Computed here, so that no password reaches a container's environment, a statement or a
server's log. Made from random passwords of 192 bits, they are of no use to a reader.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

ITERATIONS = 4096


def mysql_native_password(password: str) -> str:
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def scram_sha_256(password: str) -> str:
    """As PostgreSQL writes it (RFC 5802, RFC 7677); always the same for a password."""
    client_key, server_key = _scram_keys(password)
    stored_key = hashlib.sha256(client_key).digest()
    keys = f"{_base64(stored_key)}:{_base64(server_key)}"
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(_salt(password))}${keys}"


@lru_cache(maxsize=256)
def scram_login(password: str) -> tuple[str, str]:
    """The client's and the server's key: what logs in where scram_sha_256() was set.

    libpq takes three times as long to make them of a password, at every login.
    """
    client_key, server_key = _scram_keys(password)
    return _base64(client_key), _base64(server_key)


def _scram_keys(password: str) -> tuple[bytes, bytes]:
    salt = _salt(password)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    return _hmac(salted, b"Client Key"), _hmac(salted, b"Server Key")


def _salt(password: str) -> bytes:
    return _hmac(password.encode(), b"brokersite")[:16]


def sha_256(password: str) -> str:
    """As Redis writes it in its list of users, without the number sign."""
    return hashlib.sha256(password.encode()).hexdigest()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
