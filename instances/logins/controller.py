"""What Cloud Controller lets a person do with a service instance."""

import re
from dataclasses import dataclass

from django.conf import settings

from instances import errors
from instances.oauth import https

_GUID = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True)
class Permissions:
    may_read: bool
    may_manage: bool


NONE = Permissions(may_read=False, may_manage=False)


def permissions(guid: str, access_token: str) -> Permissions:
    """GET /v3/service_instances/:guid/permissions. Raise LoginUnavailable."""
    if not _GUID.fullmatch(guid):
        return NONE  # no id that Cloud Controller makes
    login = settings.PLATFORM_LOGIN
    url = f"{login['api_url']}/v3/service_instances/{guid}/permissions"
    headers = {"Authorization": f"Bearer {access_token}"}
    answer = https.get(url, ca=login["ca"], headers=headers)
    if answer.status in (403, 404):
        return NONE
    if answer.status != 200:
        raise errors.LoginUnavailable(
            "Cloud Foundry does not say at the moment who may see this.",
            detail=f"{url}: {answer.status}",
        )
    said = answer.document
    return Permissions(
        may_read=said.get("read") is True or said.get("manage") is True,
        may_manage=said.get("manage") is True,
    )
