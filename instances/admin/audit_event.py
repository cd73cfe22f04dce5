"""Audit events: who asked for what. Nobody changes them, not even here."""

from django.contrib import admin
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin
from instances.admin.html import as_json, isolated, link, moment
from instances.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["when", "who", "action", "target_text", "instance_link"]
    list_filter = ["actor_kind", "action", "at"]
    search_fields = [
        "actor_name",
        "target",
        "request_id",
        "instance__guid",
        "instance__instance_name",
    ]
    search_help_text = "Who, target, request, GUID or name of the service instance"
    list_select_related = ["instance"]
    show_full_result_count = False
    empty_text = (
        "Nobody has asked for anything yet. "
        "Every wish of a platform or an operator will be here, and stays."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "when",
                    "who",
                    "action",
                    "target_text",
                    "instance_link",
                    "request_id",
                    "changes_json",
                ]
            },
        )
    ]

    @admin.display(description="when (UTC)", ordering="at")
    def when(self, row: AuditEvent) -> SafeString:
        return moment(row.at)

    @admin.display(description="who", ordering="actor_name")
    def who(self, row: AuditEvent) -> SafeString:
        return isolated(f"{row.actor_kind} {row.actor_name}")

    @admin.display(description="target", ordering="target")
    def target_text(self, row: AuditEvent) -> SafeString:
        return isolated(row.target)

    @admin.display(description="service instance")
    def instance_link(self, row: AuditEvent) -> SafeString:
        return link(row.instance)

    @admin.display(description="changes")
    def changes_json(self, row: AuditEvent) -> SafeString:
        return as_json(row.changes)
