"""The ports that are leased on Docker hosts, or rest."""

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin
from instances.admin.html import badge, link, moment
from instances.models import PortLease


@admin.register(PortLease)
class PortLeaseAdmin(ReadOnlyAdmin):
    list_display = [
        "number",
        "host_link",
        "state_badge",
        "container_link",
        "instance_link",
        "rests_until",
        "reason",
    ]
    list_filter = ["host", ("container", admin.EmptyFieldListFilter)]
    search_fields = ["number", "host__name", "container__instance__guid", "reason"]
    search_help_text = "Port, host, GUID of the service instance, reason"
    list_select_related = ["host", "container__instance"]
    empty_text = "No port is leased or resting: no host has a database yet."
    fieldsets: ClassVar[list[Any]] = [
        (
            None,
            {
                "fields": [
                    "number",
                    "host_link",
                    "state_badge",
                    "container_link",
                    "instance_link",
                    "rests_until",
                    "reason",
                ]
            },
        )
    ]

    @admin.display(description="host", ordering="host__name")
    def host_link(self, row: PortLease) -> SafeString:
        return link(row.host)

    @admin.display(description="state", ordering="resting_until")
    def state_badge(self, row: PortLease) -> SafeString:
        if row.container is None:
            return badge("resting")
        return badge("leased", tone="good")

    @admin.display(description="container")
    def container_link(self, row: PortLease) -> SafeString:
        return link(row.container)

    @admin.display(description="service instance")
    def instance_link(self, row: PortLease) -> SafeString:
        return link(getattr(row.container, "instance", None))

    @admin.display(description="rests until (UTC)", ordering="resting_until")
    def rests_until(self, row: PortLease) -> SafeString:
        return moment(row.resting_until)
