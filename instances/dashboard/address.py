"""Where the page of a service instance is."""

from urllib.parse import quote

from django.conf import settings


def dashboard_url(guid: str) -> str:
    """The same at any time (OSB-CHECKLIST 78). Empty unless PUBLIC_URL was given."""
    if not settings.DASHBOARD_URL:
        return ""
    return f"{settings.DASHBOARD_URL}/instances/{quote(guid, safe='')}"
