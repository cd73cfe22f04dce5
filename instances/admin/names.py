"""Names for guids, as Cloud Controller or else the platform's context has said them.

The guid stands second.
"""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import NOTHING, isolated, shorten
from instances.models import ServiceInstance


def organization(instance: ServiceInstance) -> str:
    said = _text(instance.context, "organization_name")
    return instance.organization_name or said


def space(instance: ServiceInstance) -> str:
    return instance.space_name or _text(instance.context, "space_name")


def with_guid(name: str, guid: str) -> SafeString:
    """The name above the guid, or what there is of them."""
    if not name:
        return isolated(guid)
    return format_html(
        '<bdi title="{}">{}</bdi><br><bdi class="mini" title="{}">{}</bdi>',
        *(name, shorten(name), guid, shorten(guid)),
    )


def whole_with_guid(name: str, guid: str) -> SafeString:
    if not name:
        return format_html("<bdi>{}</bdi>", guid) if guid else NOTHING
    return format_html(
        '<bdi>{}</bdi> <span class="quiet">(<bdi>{}</bdi>)</span>', name, guid
    )


def _text(values: Any, key: str) -> str:
    found = values.get(key) if isinstance(values, dict) else ""
    return found if isinstance(found, str) else ""
