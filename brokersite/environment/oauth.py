"""Variables that say where and as whom to log in, over TLS."""

import re
from urllib.parse import urlsplit

from brokersite.environment import pem
from brokersite.environment.reader import Reader

_CLIENT_ID = re.compile(r"[\w.-]{1,200}")


def address(reader: Reader, name: str, default: str = "") -> str:
    """Passwords and tokens go there: nothing but https will do."""
    text = reader.text(name, default)
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.username or parts.query or parts.fragment:
        reader.complain(name, f"is {text!r}: give https://HOST, with a path if need be")
    # An issuer is compared to the letter: its slash is part of its name.
    return text if name == "OIDC_ISSUER" else text.rstrip("/")


def client_id(reader: Reader, name: str, default: str) -> str:
    text = reader.text(name, default)
    if not _CLIENT_ID.fullmatch(text):
        reader.complain(name, f"is {text!r}: give letters, digits, points and dashes")
    return text


def secret(reader: Reader, name: str) -> str:
    found = reader.password(name)
    if not found:
        reader.complain(name, "is missing: give the secret of the client")
    return found


def ca(reader: Reader, name: str) -> str:
    text = pem.unfold(reader.text(name))
    if text and not pem.is_certificates(text):
        reader.complain(name, "is no certificate in PEM: -----BEGIN CERTIFICATE-----")
        return ""
    return text
