"""What an operator does to one database: buttons of its page, and where they lead."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path

from instances.admin import export_instances, force, resize, sharing, wish
from instances.admin.base import ConsoleAdmin, Tool, asks
from instances.admin.chosen import confirmation_url


class Operate(ConsoleAdmin):
    has_restart_permission = asks("restart")
    has_resize_permission = asks("resize")
    has_rotate_secret_permission = asks("rotate_secret")
    has_force_permission = asks("force_deprovision")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("resize/", view(self.resize_view), name=resize.URL_NAME),
            path("force-deprovision/", view(self.force_view), name=force.URL_NAME),
            path(
                "export/<str:form>/",
                view(self.export_view),
                name=export_instances.URL_NAME,
            ),
            *wish.urls(self),
            *super().get_urls(),
        ]

    def tools(self, request: HttpRequest, row: Any) -> list[Tool]:
        found = super().tools(request, row)
        if row.state == row.State.READY and row.container is not None:
            found += [
                Tool(
                    confirmation_url(what.url_name, [row.pk]),
                    f"{what.title}…",
                    is_dangerous=what.is_dangerous,
                )
                for what in _wishes(row)
                if getattr(self, what.permission)(request)
            ]
            if self.has_resize_permission(request):
                url = confirmation_url(resize.URL_NAME, [row.pk])
                found.append(Tool(url, "Resize…"))
        if row.state != row.State.GONE and self.has_force_permission(request):
            url = confirmation_url(force.URL_NAME, [row.pk])
            found.append(Tool(url, "Force deprovision…", is_dangerous=True))
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        forms = {"export_forms": ("csv", "json")}
        return super().changelist_view(request, {**forms, **(extra_context or {})})

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        if form not in ("csv", "json"):
            raise Http404
        return export_instances.export(request, self, form)

    def resize_view(self, request: HttpRequest) -> HttpResponse:
        return resize.confirm(request, self)

    def force_view(self, request: HttpRequest) -> HttpResponse:
        return force.confirm(request, self)


def _wishes(row: Any) -> list[wish.Wish]:
    """What makes sense of a database as it is now."""
    if row.container.stopped_at is not None:
        return [wish.START]
    if sharing.is_sharing(row):
        return [wish.RESTART, wish.STOP]
    return [wish.RESTART, wish.STOP, wish.ROTATE]
