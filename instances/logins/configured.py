"""The providers that the settings name."""

import re
from typing import Any

from django.conf import settings
from django.urls import reverse

from instances.models.service_instance import digest
from instances.oauth.provider import Provider

PERMISSION_SCOPE = "cloud_controller_service_permissions.read"

_USUAL = re.compile(r"[A-Za-z0-9._-]{1,50}")


def absolute(name: str) -> str:
    """The address of a route as a provider knows it, whatever Host a request names."""
    path = reverse(name).removeprefix(settings.PATH_PREFIX)
    return f"{settings.PUBLIC_URL}{path}"


def client_id_of(offering_id: str) -> str:
    """Cloud Controller makes a client for each offering: no two may share an id."""
    login = settings.PLATFORM_LOGIN
    client_id: str = login["client_id"]
    if not login["is_in_catalog"]:
        return client_id
    is_usual = _USUAL.fullmatch(offering_id)
    return f"{client_id}-{offering_id if is_usual else digest(offering_id)[:32]}"


def dashboard_client(offering_id: str) -> dict[str, str]:
    """What the catalog says of it (CLOUD-CONTROLLER §2); empty: nothing."""
    login = settings.PLATFORM_LOGIN
    if not login or not login["is_in_catalog"] or not settings.DASHBOARD_URL:
        return {}
    return {
        "id": client_id_of(offering_id),
        "secret": login["client_secret"],
        "redirect_uri": absolute("dashboard:callback"),
    }


def platform(offering_id: str) -> Provider:
    """The platform, where the client is that of the offering."""
    login = settings.PLATFORM_LOGIN
    return Provider(
        address=login["uaa_url"],
        client_id=client_id_of(offering_id),
        client_secret=login["client_secret"],
        scopes=f"openid {PERMISSION_SCOPE}",
        ca=login["ca"],
    )


def operators() -> Provider:
    login: dict[str, Any] = settings.OPERATOR_LOGIN
    return Provider(
        address=login["issuer"],
        issuer=login["issuer"],
        client_id=login["client_id"],
        client_secret=login["client_secret"],
        scopes=login["scopes"],
        ca=login["ca"],
    )
