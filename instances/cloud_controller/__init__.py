"""What Cloud Controller knows, asked with a client of the site's own.

Other packages use the names below, and nothing else of it.
"""

from django.conf import settings

from instances.cloud_controller.client import MOST_GUIDS, CloudController, Space
from instances.oauth.provider import Provider

__all__ = ["MOST_GUIDS", "CloudController", "Space", "configured"]


def configured() -> CloudController:
    """The one that settings.CLOUD_CONTROLLER names, which must not be empty."""
    given = settings.CLOUD_CONTROLLER
    provider = Provider(
        address=given["uaa_url"],
        client_id=given["client_id"],
        client_secret=given["client_secret"],
        scopes="",
        ca=given["ca"],
    )
    return CloudController(given["api_url"], provider, given["ca"])
