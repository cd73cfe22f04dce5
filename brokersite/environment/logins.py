"""How persons log in: app developers at the platform, operators at a provider."""

from dataclasses import dataclass, field

from brokersite.environment import cloud_controller, oauth
from brokersite.environment.reader import Reader

ROLES = {
    "viewer": "OIDC_VIEWERS",
    "operator": "OIDC_OPERATORS",
    "administrator": "OIDC_ADMINISTRATORS",
}
CLIENT_SECRET = "DASHBOARD_CLIENT_SECRET"  # noqa: S105


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
    if reader.text(cloud_controller.SECRET) and not reader.text(CLIENT_SECRET):
        return None  # UAA is there for the other client alone
    in_catalog = reader.choice("DASHBOARD_CLIENT_IN_CATALOG", "1", ("0", "1"))
    return PlatformLogin(
        uaa_url=oauth.address(reader, "UAA_URL"),
        api_url=oauth.address(reader, "CF_API_URL", api_url),
        client_id=oauth.client_id(
            reader, "DASHBOARD_CLIENT_ID", "brokersite-dashboard"
        ),
        client_secret=oauth.secret(reader, CLIENT_SECRET),
        is_in_catalog=in_catalog == "1",
        ca=oauth.ca(reader, "CF_CA"),
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
        issuer=oauth.address(reader, "OIDC_ISSUER"),
        client_id=reader.text("OIDC_CLIENT_ID", "brokersite"),
        client_secret=oauth.secret(reader, "OIDC_CLIENT_SECRET"),
        scopes=scopes,
        username_claim=reader.text("OIDC_USERNAME_CLAIM", "preferred_username"),
        roles_claim=reader.text("OIDC_ROLES_CLAIM", "groups"),
        roles=roles,
        ca=oauth.ca(reader, "OIDC_CA"),
    )
