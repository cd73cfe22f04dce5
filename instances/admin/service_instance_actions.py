"""What an operator can have done to service instances, each after a confirmation."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from instances.admin import (
    back_up,
    backup_policy,
    deprovision,
    sharing,
    upgrade,
    upload,
)
from instances.admin.base import ConsoleAdmin, Tool
from instances.admin.chosen import confirmation_url, to_confirmation
from instances.models import ServiceInstance


class Actions(ConsoleAdmin):
    """Buttons of a page, actions of the list, and the pages that they lead to."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("back-up/", view(self.back_up_view), name=back_up.URL_NAME),
            path(
                "<uuid:pk>/backup-policy/",
                view(self.backup_policy_view),
                name=backup_policy.URL_NAME,
            ),
            path(
                "<uuid:pk>/upload-backup/",
                view(self.upload_view),
                name=upload.URL_NAME,
            ),
            path("upgrade/", view(self.upgrade_view), name=upgrade.URL_NAME),
            path(
                "deprovision/", view(self.deprovision_view), name=deprovision.URL_NAME
            ),
            *super().get_urls(),
        ]

    def tools(self, request: HttpRequest, row: Any) -> list[Tool]:
        if row.state == row.State.GONE or not self.has_operate_permission(request):
            return []
        found = []
        if row.state == row.State.READY and not sharing.is_sharing(row):
            url = confirmation_url(back_up.URL_NAME, [row.pk])
            found.append(Tool(url, "Back up…"))
            url = reverse(f"admin:{backup_policy.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Backup policy…"))
            url = reverse(f"admin:{upload.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Upload a backup…"))
        if row.is_behind:
            found.append(Tool(confirmation_url(upgrade.URL_NAME, [row.pk]), "Upgrade…"))
        url = confirmation_url(deprovision.URL_NAME, [row.pk])
        return [*found, Tool(url, "Deprovision…", is_dangerous=True)]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(
        description="Back up the selected service instances…", permissions=["operate"]
    )
    def back_up_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(request, back_up.URL_NAME, queryset)

    def back_up_view(self, request: HttpRequest) -> HttpResponse:
        return back_up.confirm(request, self)

    def backup_policy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return backup_policy.edit(request, self, pk)

    def upload_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return upload.view(request, self, pk)

    @admin.action(
        description="Upgrade the selected service instances…", permissions=["operate"]
    )
    def upgrade_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(request, upgrade.URL_NAME, queryset)

    def upgrade_view(self, request: HttpRequest) -> HttpResponse:
        return upgrade.confirm(request, self)

    @admin.action(
        description="Deprovision the selected service instances…",
        permissions=["operate"],
    )
    def deprovision_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(request, deprovision.URL_NAME, queryset)

    def deprovision_view(self, request: HttpRequest) -> HttpResponse:
        return deprovision.confirm(request, self)
