"""Service bindings: the databases' users, without what they log in with."""

import uuid
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from instances.admin import bindings, names, orphans, reveal, sharing, tables
from instances.admin.base import ReadOnlyAdmin, Section, Tool, asks
from instances.admin.html import as_json, badge, link, moment, whole
from instances.models import ServiceBinding
from instances.models.service_binding import MADE


@admin.register(ServiceBinding)
class ServiceBindingAdmin(ReadOnlyAdmin):
    list_display = [
        *("name", "state_badge", "instance_link", "app", "user", "created", "expires")
    ]
    list_display_links = None
    list_filter = ["state", "created_at", ("orphaned_at", orphans.OrphanFilter)]
    search_fields = [
        *("guid", "app_guid", "app_name"),
        *("instance__guid", "instance__instance_name"),
    ]
    search_help_text = "GUID of binding, name or GUID of app or service instance"
    list_select_related = ["instance__plan__offering"]
    empty_text = (
        "No app is bound to a service instance yet. "
        "Each binding that cf bind-service makes will be here."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "state_badge",
                    "whole_guid",
                    "instance_link",
                    "whole_app",
                    "user",
                    "connected",
                    "created",
                    "renew",
                    "expires",
                    "gone",
                ]
            },
        ),
        (
            "From the platform",
            {
                "fields": ["parameters_json", "bind_resource_json"],
                "classes": ["collapse"],
            },
        ),
    ]

    has_reveal_permission = asks("reveal")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.reveal_view)
        return [
            path("<uuid:pk>/reveal/", view, name=reveal.URL_NAME),
            *super().get_urls(),
        ]

    def reveal_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return reveal.reveal(request, self, pk)

    def tools(self, request: HttpRequest, row: ServiceBinding) -> list[Tool]:
        if row.state not in MADE or not self.has_reveal_permission(request):
            return []
        url = reverse(f"admin:{reveal.URL_NAME}", args=[row.pk])
        return [Tool(url, "Reveal credentials…", is_dangerous=True)]

    def sections(self, request: HttpRequest, row: ServiceBinding) -> list[Section]:
        return [tables.operations(row.operations.all(), binding__id__exact=row.pk)]

    @admin.display(description="service binding", ordering="guid")
    def name(self, row: ServiceBinding) -> SafeString:
        return link(row)

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: ServiceBinding) -> SafeString:
        return badge(row.state, row.get_state_display()) + orphans.mark(row)

    @admin.display(description="service instance", ordering="instance__instance_name")
    def instance_link(self, row: ServiceBinding) -> SafeString:
        return link(row.instance)

    @admin.display(description="app", ordering="app_guid")
    def app(self, row: ServiceBinding) -> SafeString:
        return names.with_guid(row.app, row.app_guid)

    @admin.display(description="GUID")
    def whole_guid(self, row: ServiceBinding) -> SafeString:
        return whole(row.guid)

    @admin.display(description="app")
    def whole_app(self, row: ServiceBinding) -> SafeString:
        return names.whole_with_guid(row.app, row.app_guid)

    @admin.display(description="last seen connected")
    def connected(self, row: ServiceBinding) -> SafeString:
        return bindings.connected(row)

    @admin.display(description="database user")
    def user(self, row: ServiceBinding) -> str:
        return sharing.user(row.instance, row.username)

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, row: ServiceBinding) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="to be renewed before (UTC)")
    def renew(self, row: ServiceBinding) -> SafeString:
        return moment(row.renew_before)

    @admin.display(description="expires (UTC)", ordering="expires_at")
    def expires(self, row: ServiceBinding) -> SafeString:
        return moment(row.expires_at)

    @admin.display(description="gone since (UTC)")
    def gone(self, row: ServiceBinding) -> SafeString:
        return moment(row.gone_at)

    @admin.display(description="parameters")
    def parameters_json(self, row: ServiceBinding) -> SafeString:
        return as_json(row.parameters)

    @admin.display(description="bind resource")
    def bind_resource_json(self, row: ServiceBinding) -> SafeString:
        return as_json(row.bind_resource)
