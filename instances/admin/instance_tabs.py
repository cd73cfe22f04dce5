"""The page of a service instance in parts: each has an address and no script.

A part is a line in TABS: a word of the address, a label, and what is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from instances.admin import (
    backup_chart,
    backup_section,
    bindings,
    container_sections,
    history,
    host_findings,
    instance_glance,
    logs,
    lost,
    orphans,
    stale,
    tables,
    timelines,
)
from instances.admin.base import ConsoleAdmin, Section
from instances.admin.live import live
from instances.models import ServiceInstance

OVERVIEW = "overview"
URL_NAMES = "instances_serviceinstance_tab_"
Build = Callable[[HttpRequest, ServiceInstance], list[Section]]
Part = Callable[[HttpRequest, ServiceInstance], HttpResponse]


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
    container = instance.container
    differences = host_findings.of_container(container) if container else []
    may_settle = request.user.has_perm("instances.move_serviceinstance")
    moved = stale.sections(instance, may_settle=may_settle)
    urgent = (*lost.sections(instance), *differences, *moved)
    orphaned = orphans.sections(request, instance)
    return [*urgent, *orphaned, instance_glance.section(instance)]


def _live(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    now = live(instance.container, refresh_url=f"{tab_url(instance, 'live')}now/")
    return [now, history.section(instance.container)]


def _logs(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    wish = logs.Wish.of(request.GET)
    return [logs.section(instance.container, wish, tab_url(instance, "logs"))]


def _container(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return container_sections.sections(instance.container)


def _bindings(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return [bindings.section(instance)]


def _backups(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return [backup_section.section(instance), backup_chart.of_instance(instance)]


def _operations(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    return timelines.sections(instance)


def _audit(request: HttpRequest, instance: ServiceInstance) -> list[Section]:
    same = {"instance__id__exact": instance.pk}
    return [tables.audit(instance.audit.all(), **same)]


def _now(request: HttpRequest, instance: ServiceInstance) -> HttpResponse:
    url = f"{tab_url(instance, 'live')}now/"
    found = live(instance.container, before=request.GET, refresh_url=url)
    return render(request, found.template, {"content": found.content})


def _log_part(request: HttpRequest, instance: ServiceInstance) -> HttpResponse:
    wish = logs.Wish.of(request.GET)
    content = logs.part(instance.container, wish, tab_url(instance, "logs"))
    return render(request, "admin/instances/log_lines.html", {"content": content})


def _log_file(request: HttpRequest, instance: ServiceInstance) -> HttpResponse:
    return logs.download(request, instance.container)


PARTS: dict[str, Part] = {
    "live/now": _now,
    "logs/part": _log_part,
    "logs/file": _log_file,
}
TABS: list[Tab] = [
    Tab(OVERVIEW, "Overview", _overview),
    Tab("live", "Live", _live),
    Tab("logs", "Logs", _logs),
    Tab("bindings", "Bindings", _bindings),
    Tab("backups", "Backups", _backups),
    Tab("operations", "Operations", _operations),
    Tab("container", "Container", _container),
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
        more = [
            path(
                f"<uuid:object_id>/{address}/",
                require_safe(self.admin_site.admin_view(partial(self.part_view, part))),
                name=f"{URL_NAMES}{address.replace('/', '_')}",
            )
            for address, part in PARTS.items()
        ]
        return [*parts, *more, *super().get_urls()]

    def tab_view(self, request: HttpRequest, object_id: Any, tab: str) -> HttpResponse:
        return self.change_view(request, str(object_id))

    def part_view(
        self, part: Part, request: HttpRequest, object_id: Any
    ) -> HttpResponse:
        """What a page replaces by itself, or leads to as a file."""
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        return part(request, row)

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
