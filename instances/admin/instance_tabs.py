"""The page of a service instance in parts: each has an address and no script.

A part is a line in TABS: a word of the address, a label, and what is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from instances.admin import backup_chart, backup_section, tables
from instances.admin.base import ConsoleAdmin, Section
from instances.admin.live import live
from instances.models import ServiceInstance

OVERVIEW = "overview"
URL_NAMES = "instances_serviceinstance_tab_"
Build = Callable[[HttpRequest, ServiceInstance], list[Section]]


@dataclass(frozen=True)
class Tab:
    slug: str
    label: str
    sections: Build


def tab_url(instance: ServiceInstance, slug: str) -> str:
    if slug == OVERVIEW:
        return reverse("admin:instances_serviceinstance_change", args=[instance.pk])
    return reverse(f"admin:{URL_NAMES}{slug}", args=[instance.pk])


def _overview(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return []


def _live(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return [live(instance.container)]


def _bindings(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return [tables.bindings(instance)]


def _backups(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return [backup_section.section(instance), backup_chart.of_instance(instance)]


def _operations(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    same = {"instance__id__exact": instance.pk}
    return [tables.operations(instance.operations.all(), **same)]


def _audit(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    same = {"instance__id__exact": instance.pk}
    return [tables.audit(instance.audit.all(), **same)]


TABS: list[Tab] = [
    Tab(OVERVIEW, "Overview", _overview),
    Tab("live", "Live", _live),
    Tab("bindings", "Bindings", _bindings),
    Tab("backups", "Backups", _backups),
    Tab("operations", "Operations", _operations),
    Tab("audit", "Audit", _audit),
]


class Tabbed(ConsoleAdmin):
    """The pages of one row: the fields are on the first, sections on each."""

    def get_urls(self) -> list[Any]:
        view = require_safe(self.admin_site.admin_view(self.tab_view))
        parts = [
            path(
                f"<uuid:object_id>/{tab.slug}/",
                view,
                {"tab": tab.slug},
                name=f"{URL_NAMES}{tab.slug}",
            )
            for tab in TABS
            if tab.slug != OVERVIEW
        ]
        return [*parts, *super().get_urls()]

    def tab_view(self, request: HttpRequest, object_id: Any, tab: str) -> HttpResponse:
        return self.change_view(request, str(object_id))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = _chosen(request)
        context = {
            "tab": shown.slug,
            "tabs": [(tab.slug, tab.label) for tab in TABS],
            "title": f"Service instance: {shown.label}",
        }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def sections(self, request: HttpRequest, row: ServiceInstance) -> list[Section]:
        return _chosen(request).sections(request, row)


def _chosen(request: HttpRequest) -> Tab:
    match = request.resolver_match
    slug = match.kwargs.get("tab", OVERVIEW) if match else OVERVIEW
    return next(tab for tab in TABS if tab.slug == slug)
