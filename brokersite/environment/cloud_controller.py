"""The Cloud Controller that is asked what it knows, if the operator wants that."""

from dataclasses import dataclass, field

from brokersite.environment import oauth
from brokersite.environment.reader import Reader

SECRET = "CF_CLIENT_SECRET"  # noqa: S105


@dataclass(frozen=True)
class CloudController:
    api_url: str
    uaa_url: str
    client_id: str
    client_secret: str = field(repr=False)
    ca: str
    """PEM; empty: the system's."""
    interval_s: int


def read(reader: Reader, *, api_url: str) -> CloudController | None:
    """The secret of a client asks for it. The platform tells its own address."""
    if not reader.text(SECRET):
        return None
    minutes = reader.integer("CF_LOOKUP_MINUTES", 15, low=1, high=1440)
    return CloudController(
        api_url=oauth.address(reader, "CF_API_URL", api_url),
        uaa_url=oauth.address(reader, "UAA_URL"),
        client_id=oauth.client_id(reader, "CF_CLIENT_ID", "brokersite-lookup"),
        client_secret=oauth.secret(reader, SECRET),
        ca=oauth.ca(reader, "CF_CA"),
        interval_s=minutes * 60,
    )
