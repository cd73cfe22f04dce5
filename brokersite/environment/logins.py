"""How persons log in: app developers at the platform, operators at a provider."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from brokersite.environment import pem
from brokersite.environment.reader import Reader

ROLES = {
    "viewer": "OIDC_VIEWERS",
    "operator": "OIDC_OPERATORS",
    "administrator": "OIDC_ADMINISTRATORS",
}
_CLIENT_ID = re.compile(r"[\w.-]{1,200}")


@dataclass(frozen=True)
class PlatformLogin:
    """The Cloud Foundry whose users see the pages of their service instances."""

    uaa_url: str
    api_url: str
    client_id: str
    client_secret: str = field(repr=False)
    is_in_catalog: bool
    """Cloud Controller makes a client for each offering; else there is the one."""
    ca: str
    """PEM; empty: the system's."""


@dataclass(frozen=True)
class OperatorLogin:
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    username_claim: str
    roles_claim: str
    roles: dict[str, list[str]]
    """Which groups of the provider have a role of the console."""
    ca: str


@dataclass(frozen=True)
class Logins:
    platform: PlatformLogin | None
    operators: OperatorLogin | None
    is_local_allowed: bool
    """Whether operators can log in with a password of the console's own."""
    idle_minutes: int


def read(reader: Reader, *, api_url: str) -> Logins:
    """The address of Cloud Controller is told by the platform; a variable wins."""
    operators = _operators(reader)
    is_local_allowed = reader.choice("LOCAL_LOGIN", "1", ("0", "1")) == "1"
    if not is_local_allowed and operators is None:
        reader.complain(
            "LOCAL_LOGIN", "is 0, so that nobody can log in: give OIDC_ISSUER as well"
        )
    return Logins(
        platform=_platform(reader, api_url),
        operators=operators,
        is_local_allowed=is_local_allowed,
        idle_minutes=reader.integer("SESSION_IDLE_MINUTES", 30, low=1, high=1440),
    )


def _platform(reader: Reader, api_url: str) -> PlatformLogin | None:
    if not reader.text("UAA_URL"):
        return None
    in_catalog = reader.choice("DASHBOARD_CLIENT_IN_CATALOG", "1", ("0", "1"))
    return PlatformLogin(
        uaa_url=_address(reader, "UAA_URL"),
        api_url=_address(reader, "CF_API_URL", api_url),
        client_id=_client_id(reader, "DASHBOARD_CLIENT_ID", "brokersite-dashboard"),
        client_secret=_secret(reader, "DASHBOARD_CLIENT_SECRET"),
        is_in_catalog=in_catalog == "1",
        ca=_ca(reader, "CF_CA"),
    )


def _operators(reader: Reader) -> OperatorLogin | None:
    if not reader.text("OIDC_ISSUER"):
        return None
    roles = {role: reader.text(name).split() for role, name in ROLES.items()}
    if not any(roles.values()):
        reader.complain(
            "OIDC_ADMINISTRATORS",
            "is missing, as are OIDC_OPERATORS and OIDC_VIEWERS: name groups of the "
            "provider, with spaces between them, or nobody has a role",
        )
    scopes = reader.text("OIDC_SCOPES", "openid profile")
    if "openid" not in scopes.split():
        reader.complain("OIDC_SCOPES", f"is {scopes!r}: openid must be one of them")
    return OperatorLogin(
        issuer=_address(reader, "OIDC_ISSUER"),
        client_id=reader.text("OIDC_CLIENT_ID", "brokersite"),
        client_secret=_secret(reader, "OIDC_CLIENT_SECRET"),
        scopes=scopes,
        username_claim=reader.text("OIDC_USERNAME_CLAIM", "preferred_username"),
        roles_claim=reader.text("OIDC_ROLES_CLAIM", "groups"),
        roles=roles,
        ca=_ca(reader, "OIDC_CA"),
    )


def _address(reader: Reader, name: str, default: str = "") -> str:
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


def _client_id(reader: Reader, name: str, default: str) -> str:
    text = reader.text(name, default)
    if not _CLIENT_ID.fullmatch(text):
        reader.complain(name, f"is {text!r}: give letters, digits, points and dashes")
    return text


def _secret(reader: Reader, name: str) -> str:
    secret = reader.password(name)
    if not secret:
        reader.complain(name, "is missing: give the secret of the client")
    return secret


def _ca(reader: Reader, name: str) -> str:
    text = pem.unfold(reader.text(name))
    if text and not pem.is_certificates(text):
        reader.complain(name, "is no certificate in PEM: -----BEGIN CERTIFICATE-----")
        return ""
    return text
