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
    move,
    sharing,
    stale,
    upgrade,
    upload,
    wish,
)
from instances.admin.base import Tool, asks
from instances.admin.chosen import confirmation_url, to_confirmation
from instances.admin.operate import Operate
from instances.models import BulkRun, ServiceInstance

_BULK = BulkRun.Action


class Actions(Operate):
    """Buttons of a page, actions of the list, and the pages that they lead to."""

    has_back_up_permission = asks("back_up")
    has_backup_policy_permission = asks("set_backup_policy")
    has_upload_permission = asks("upload_backup")
    has_upgrade_permission = asks("upgrade")
    has_move_permission = asks("move")
    has_deprovision_permission = asks("deprovision")

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
            path("<uuid:pk>/move/", view(self.move_view), name=move.URL_NAME),
            path(
                "<uuid:pk>/bindings-renewed/",
                view(self.renewed_view),
                name=stale.URL_NAME,
            ),
            path(
                "deprovision/", view(self.deprovision_view), name=deprovision.URL_NAME
            ),
            *super().get_urls(),
        ]

    def tools(self, request: HttpRequest, row: Any) -> list[Tool]:
        if row.state == row.State.GONE:
            return []
        found: list[Tool] = []
        is_ready = row.state == row.State.READY and not sharing.is_sharing(row)
        if is_ready and self.has_back_up_permission(request):
            url = confirmation_url(back_up.URL_NAME, [row.pk])
            found.append(Tool(url, "Back up…"))
        if is_ready and self.has_backup_policy_permission(request):
            url = reverse(f"admin:{backup_policy.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Backup policy…"))
        if is_ready and self.has_upload_permission(request):
            url = reverse(f"admin:{upload.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Upload a backup…"))
        if row.is_behind and self.has_upgrade_permission(request):
            found.append(Tool(confirmation_url(upgrade.URL_NAME, [row.pk]), "Upgrade…"))
        if is_ready and self.has_move_permission(request):
            url = reverse(f"admin:{move.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Move…"))
        found += super().tools(request, row)
        if self.has_deprovision_permission(request):
            url = confirmation_url(deprovision.URL_NAME, [row.pk])
            found.append(Tool(url, "Deprovision…", is_dangerous=True))
        return found

    @admin.action(
        description="Back up the selected service instances…", permissions=["back_up"]
    )
    def back_up_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(request, back_up.URL_NAME, queryset, _BULK.BACK_UP)

    def back_up_view(self, request: HttpRequest) -> HttpResponse:
        return back_up.confirm(request, self)

    def backup_policy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return backup_policy.edit(request, self, pk)

    def upload_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return upload.view(request, self, pk)

    def move_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return move.confirm(request, self, pk)

    def renewed_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return stale.settle(request, self, pk)

    @admin.action(
        description="Upgrade the selected service instances…", permissions=["upgrade"]
    )
    def upgrade_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(request, upgrade.URL_NAME, queryset, _BULK.UPGRADE)

    @admin.action(
        description="Restart the selected service instances…", permissions=["restart"]
    )
    def restart_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        name = wish.RESTART.url_name
        return to_confirmation(request, name, queryset, _BULK.RESTART)

    def upgrade_view(self, request: HttpRequest) -> HttpResponse:
        return upgrade.confirm(request, self)

    @admin.action(
        description="Deprovision the selected service instances…",
        permissions=["deprovision"],
    )
    def deprovision_chosen(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> HttpResponse | None:
        return to_confirmation(
            request, deprovision.URL_NAME, queryset, _BULK.DEPROVISION
        )

    def deprovision_view(self, request: HttpRequest) -> HttpResponse:
        return deprovision.confirm(request, self)
