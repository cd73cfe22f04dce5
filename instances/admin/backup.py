"""Backups: which there are, what was found in them, and how long they stay."""

import uuid
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import (
    backup_copies,
    backup_filters,
    backup_overview,
    clone,
    restore,
)
from instances.admin import backup_display as display
from instances.admin.age_filter import AgeFilter
from instances.admin.backup_transfer import Transfers
from instances.admin.base import Section, Tool, asks, table
from instances.admin.catalog import PlanFilter
from instances.admin.html import (
    NOTHING,
    age,
    isolated,
    link,
    mebibytes,
    moment,
    preformatted,
)
from instances.admin.operation import timeline
from instances.models import Backup, ServiceInstance

TIMELINE = "admin/instances/section_timeline.html"
COMMAND = "admin/instances/section_command.html"


@admin.register(Backup)
class BackupAdmin(Transfers):
    class Media:
        css = {"all": ["brokersite/backups.css"]}

    list_display = [
        "taken",
        "state_badge",
        "instance_link",
        "proof",
        "size",
        "depth",
        "held",
        "trigger",
        "asked_by",
        "host_link",
        "expires",
    ]
    list_display_links = None
    list_filter = [
        *("state", backup_filters.ProofFilter, "trigger", "method", "engine"),
        *(backup_filters.WhoseFilter, ("plan", PlanFilter), "host"),
        *(AgeFilter, "created_at"),
    ]
    search_fields = ["id", "instance__guid", "instance__instance_name", "note"]
    search_help_text = "Id, name or GUID of the service instance, note"
    list_select_related = [
        *("instance__plan", "instance__backup_override"),
        *("host", "plan__offering"),
    ]
    empty_text = (
        "No backup has been taken yet. The page of a service instance has a button for "
        "one, and a plan may have them taken by the clock."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("story", "problem_text", "instance_link", "plan_link", "trigger"),
                    "method",
                    *("note_text", "asked_by", "operation_link", "id"),
                ]
            },
        ),
        (
            "When",
            {"fields": ["created", "committed", "verified", "kept", "gone", "held"]},
        ),
        (
            "Image",
            {
                "fields": [
                    *("reference", "image_id", "host_link", "whole_size", "own_size"),
                    *("layers_used", "made_from", "engine", "database", "memory_mb"),
                    "proofs",
                ]
            },
        ),
    ]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/restore/", view(self.restore_view), name=restore.URL_NAME),
            path("<uuid:pk>/clone/", view(self.clone_view), name=clone.URL_NAME),
            *super().get_urls(),
        ]

    def sections(self, request: HttpRequest, row: Backup) -> list[Section]:
        found = [
            table(
                "What is in it",
                ("Counted", "Before", "After", "Found by the proof"),
                display.inventory(row),
                empty="Nothing has been counted.",
            )
        ]
        if backup_copies.shown(row):
            found.append(backup_copies.section(row))
        if row.state == Backup.State.VERIFIED:
            content = {"command": display.command(row)}
            found.append(Section("As a new service instance", COMMAND, content))
        steps = {"entries": list(timeline(row.operation))}
        name = row.operation.get_kind_display()
        return [*found, Section(f"Steps of the {name} operation", TIMELINE, steps)]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"sections": backup_overview.sections(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    has_restore_permission = asks("restore")
    has_clone_permission = asks("clone")

    def tools(self, request: HttpRequest, row: Backup) -> list[Tool]:
        found = self.transfer_tools(request, row)
        if row.state != Backup.State.VERIFIED:
            return found
        if self.has_clone_permission(request):
            url = reverse(f"admin:{clone.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "New service instance…"))
        is_ready = row.instance.state == ServiceInstance.State.READY
        if is_ready and self.has_restore_permission(request):
            url = reverse(f"admin:{restore.URL_NAME}", args=[row.pk])
            found.append(Tool(url, "Restore…", is_dangerous=True))
        return found

    def restore_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return restore.confirm(request, self, pk)

    def clone_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return clone.confirm(request, self, pk)

    @admin.display(description="taken (UTC)", ordering="created_at")
    def taken(self, row: Backup) -> SafeString:
        at = row.taken_at or row.created_at
        text = f"{at:%Y-%m-%d %H:%M:%S}"
        mini = format_html('<span class="mini">{} ago</span>', age(at))
        return format_html("{}<br>{}", link(row, text), mini)

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Backup) -> SafeString:
        return display.state(row)

    @admin.display(description="state")
    def story(self, row: Backup) -> SafeString:
        text = display.STORIES[Backup.State(row.state)]
        return format_html("{} {}", display.state(row), text)

    @admin.display(description="problem")
    def problem_text(self, row: Backup) -> SafeString:
        return preformatted(row.problem)

    @admin.display(description="service instance", ordering="instance__instance_name")
    def instance_link(self, row: Backup) -> SafeString:
        note = display.instance_note(row.instance)
        return format_html('{} <span class="mini">{}</span>', link(row.instance), note)

    @admin.display(description="plan", ordering="plan__name")
    def plan_link(self, row: Backup) -> SafeString:
        return link(row.plan)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, row: Backup) -> SafeString:
        return display.size(row)

    @admin.display(description="size of the image", ordering="size_bytes")
    def whole_size(self, row: Backup) -> str:
        return mebibytes(row.size_bytes)

    @admin.display(description="its own of that")
    def own_size(self, row: Backup) -> str:
        return mebibytes(row.delta_bytes)

    @admin.display(description="proof", ordering="verified_at")
    def proof(self, row: Backup) -> SafeString | str:
        return display.proof(row)

    @admin.display(description="layers", ordering="layers")
    def depth(self, row: Backup) -> str:
        return NOTHING if row.layers is None else str(row.layers)

    @admin.display(description="layers")
    def layers_used(self, row: Backup) -> str:
        return display.layers(row)

    @admin.display(description="writers held", ordering="held_ms")
    def held(self, row: Backup) -> str:
        return display.held(row)

    @admin.display(description="asked for by", ordering="requested_by")
    def asked_by(self, row: Backup) -> SafeString:
        return isolated(row.requested_by)

    @admin.display(description="note")
    def note_text(self, row: Backup) -> SafeString:
        return isolated(row.note, longest=255)

    @admin.display(description="operation")
    def operation_link(self, row: Backup) -> SafeString:
        return link(row.operation, row.operation.get_kind_display())

    @admin.display(description="host", ordering="host__name")
    def host_link(self, row: Backup) -> SafeString:
        return link(row.host)

    @admin.display(description="asked for (UTC)")
    def created(self, row: Backup) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="committed (UTC)")
    def committed(self, row: Backup) -> SafeString:
        return moment(row.taken_at)

    @admin.display(description="verified (UTC)")
    def verified(self, row: Backup) -> SafeString:
        return moment(row.verified_at)

    @admin.display(description="expires (UTC)", ordering="expires_at")
    def expires(self, row: Backup) -> SafeString:
        return moment(row.expires_at)

    @admin.display(description="kept")
    def kept(self, row: Backup) -> SafeString | str:
        return display.kept(row)

    @admin.display(description="image gone since (UTC)")
    def gone(self, row: Backup) -> SafeString:
        return moment(row.gone_at)
