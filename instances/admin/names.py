"""Names for guids, as the platform has sent them: the guid stands second.

Cloud Foundry sends the names of organization, space and instance, and of an app only
its annotations: one whose key ends in /name is taken for its name.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import NOTHING, isolated, shorten
from instances.models import ServiceBinding, ServiceInstance

APP_NAME = "/name"


def organization(instance: ServiceInstance) -> str:
    return _text(instance.context, "organization_name")


def space(instance: ServiceInstance) -> str:
    return _text(instance.context, "space_name")


def app(binding: ServiceBinding) -> str:
    """What its annotations say, such as example.com/name: shop."""
    annotations = _mapping(_mapping(binding.bind_resource).get("app_annotations"))
    named = sorted(key for key in annotations if key.endswith(APP_NAME))
    return _text(annotations, named[0]) if named else ""


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
    found = _mapping(values).get(key)
    return found if isinstance(found, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
