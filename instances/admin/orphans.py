"""Orphans, and how it stands with asking Cloud Controller for them."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import deprovision, force
from instances.admin.attention import SOURCES, Finding, of_rows
from instances.admin.base import Section
from instances.admin.chosen import confirmation_url
from instances.admin.html import NOTHING, badge, change_url, list_url, moment
from instances.models import Broker, PlatformLookup, ServiceBinding, ServiceInstance

TEMPLATE = "admin/instances/section_orphan.html"
LOOKUP_TEMPLATE = "admin/instances/section_live.html"


class OrphanFilter(admin.EmptyFieldListFilter):
    """Said as it is: not known, or known as far as anybody has asked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "known to the platform"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        rows = super().queryset(request, queryset)
        return _there(rows) if self.lookup_val == "0" and rows is not None else rows

    def choices(self, changelist: Any) -> Iterator[Any]:
        words = {"Empty": "Yes, or not asked", "Not empty": "No"}
        for choice in super().choices(changelist):
            label = str(choice["display"])
            yield {**choice, "display": words.get(label, label)}


def _there(rows: QuerySet[Any]) -> QuerySet[Any]:
    """What is gone keeps its mark as history, and needs nobody."""
    return rows.exclude(state=ServiceInstance.State.GONE)


def mark(row: ServiceInstance | ServiceBinding) -> SafeString:
    """Behind its state."""
    if row.orphaned_at is None or row.state == row.State.GONE:
        return SafeString()
    return SafeString(" ") + badge("orphan", tone="wait")


def sections(request: HttpRequest, row: ServiceInstance) -> list[Section]:
    """What that means, and the way out for those who may go it."""
    if row.orphaned_at is None or row.state == row.State.GONE:
        return []
    ways = {
        "deprovision_url": ("deprovision", deprovision.URL_NAME),
        "force_url": ("force_deprovision", force.URL_NAME),
    }
    content: dict[str, object] = {"since": moment(row.orphaned_at)}
    for name, (action, url_name) in ways.items():
        if request.user.has_perm(f"instances.{action}_serviceinstance"):
            content[name] = confirmation_url(url_name, [row.pk])
    return [Section("Not known to the platform", TEMPLATE, content)]


def lookup() -> list[Section]:
    """On the broker's page: whether Cloud Controller is asked, and answers."""
    given = settings.CLOUD_CONTROLLER
    if not given:
        return []
    row = PlatformLookup.objects.first() or PlatformLookup()
    facts = [
        ("Address", given["api_url"]),
        ("Client", given["client_id"]),
        ("Last asked (UTC)", moment(row.asked_at)),
        ("Last whole answer (UTC)", moment(row.answered_at)),
        ("Next (UTC)", moment(row.due_at)),
        ("Service instances compared", row.instances),
        ("Of other platforms, or none", row.others),
        ("Problem", row.problem or NOTHING),
        ("Not believed", row.doubt or NOTHING),
    ]
    return [Section("Cloud Controller", LOOKUP_TEMPLATE, {"facts": facts})]


def source() -> Iterator[Finding]:
    """For what needs a person."""
    rows = _there(ServiceInstance.objects.filter(orphaned_at__isnull=False))
    yield from of_rows(
        rows,
        "The platform does not know service instance {} any more.",
        "The platform does not know {} service instances any more.",
        list_url(ServiceInstance, orphaned_at__isempty=0),
        "Purged there, perhaps: nobody but you will remove what nobody needs.",
        is_urgent=False,
    )
    bindings = ServiceBinding.objects.filter(orphaned_at__isnull=False)
    number = _there(bindings).count()
    if number:
        yield Finding(
            f"The platform does not know {number} service bindings any more.",
            list_url(ServiceBinding, orphaned_at__isempty=0),
            "They can still log in, until their service instance goes.",
            is_urgent=False,
        )
    yield from _lookup_trouble()


def _lookup_trouble() -> Iterator[Finding]:
    row = PlatformLookup.objects.first() if settings.CLOUD_CONTROLLER else None
    if row is None:
        return
    url = change_url(Broker.this())
    if row.failures > 1:
        text = "Cloud Controller is asked in vain what it knows."
        cure = (
            "Nothing depends on it but names and orphans; the broker's page says why."
        )
        yield Finding(text, url, cure, is_urgent=False)
    elif row.doubt:
        cure = (
            "Not believed. If it is so, manage.py orphans --believe marks the others."
        )
        yield Finding(row.doubt, url, cure, is_urgent=False)


SOURCES.append(source)
