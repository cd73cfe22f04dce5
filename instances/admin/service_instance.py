"""Service instances: what platforms have asked for, and its end."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import (
    backup_section,
    behind,
    disk,
    instance_filters,
    instance_search,
    lost,
    names,
    orphans,
    sharing,
)
from instances.admin.age_filter import AgeFilter
from instances.admin.base import ReadOnlyAdmin, count_of
from instances.admin.catalog import PlanFilter
from instances.admin.html import (
    NOTHING,
    as_json,
    badge,
    change_url,
    count_link,
    link,
    moment,
    shorten,
    whole,
)
from instances.admin.instance_tabs import Tabbed
from instances.admin.service_instance_actions import Actions
from instances.models import ServiceBinding, ServiceInstance


@admin.register(ServiceInstance)
class ServiceInstanceAdmin(Actions, Tabbed, disk.RespiteAction, ReadOnlyAdmin):
    class Media:
        css = {"all": ["brokersite/backups.css"]}

    list_display = [
        "name",
        "state_badge",
        "plan_link",
        "place",
        "disk_use",
        "binding_count",
        "space",
        "created",
    ]
    list_display_links = None
    list_filter = [
        "state",
        ("plan", PlanFilter),
        behind.BehindFilter,
        backup_section.BackupFilter,
        instance_filters.EngineFilter,
        instance_filters.HeldFilter,
        "container__disk_state",
        ("container__lost_at", admin.EmptyFieldListFilter),
        ("orphaned_at", orphans.OrphanFilter),
        "container__host",
        "created_at",
        AgeFilter,
    ]
    search_fields = instance_search.FIELDS
    search_help_text = (
        "Name or GUID of instance, organization, space or app, GUID of binding, "
        "host, port"
    )
    list_select_related = ["plan__offering", "container__host", "container__lease"]
    actions = [
        "back_up_chosen",
        "restart_chosen",
        "upgrade_chosen",
        "deprovision_chosen",
        "lift_disk_limit",
    ]
    empty_text = (
        "No platform has asked for a service instance yet. "
        "Each one that cf create-service makes will be here."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "state_badge",
                    "whole_guid",
                    "plan_link",
                    "organization",
                    "whole_space",
                    "began_with",
                    "created",
                    "gone",
                ]
            },
        ),
        (
            "Database",
            {
                "fields": [
                    "address",
                    "database",
                    "host_link",
                    "container_link",
                    "limits",
                    "disk_story",
                    "behind_plan",
                ]
            },
        ),
        (
            "From the platform",
            {"fields": ["parameters_json", "context_json"], "classes": ["collapse"]},
        ),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not sharing.is_sharing(obj):
            return self.fieldsets
        first, (title, options), *others = self.fieldsets
        fields = [name for name in options["fields"] if name != "database"]
        shown = {"fields": fields, "description": sharing.NOTICE}
        return [first, (title, shown), *others]

    def annotations(self) -> dict[str, Any]:
        bound = ServiceBinding.objects.exclude(state=ServiceBinding.State.GONE)
        return {
            "live_bindings": count_of(bound, "instance"),
            "is_behind": behind.annotation(),
        }

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return instance_search.search(queryset, search_term), False

    @admin.display(description="service instance", ordering="instance_name")
    def name(self, row: ServiceInstance) -> SafeString:
        """The name, or what stands in for it, above the platform's id."""
        return format_html(
            '<a href="{}"><strong><bdi>{}</bdi></strong></a>'
            '<br><bdi class="mini" title="{}">{}</bdi>',
            change_url(row),
            shorten(str(row)),
            row.guid,
            shorten(row.guid),
        )

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: ServiceInstance) -> SafeString:
        state = badge(row.state, row.get_state_display()) + lost.mark(row)
        state += orphans.mark(row)
        if row.container is None or row.container.stopped_at is None:
            return state
        held = badge("stopped", "stopped by an operator", tone="wait")
        return format_html("{}<br>{}", state, held)

    @admin.display(description="plan", ordering="plan__name")
    def plan_link(self, row: ServiceInstance) -> SafeString:
        return link(row.plan) + behind.mark(row)

    @admin.display(description="host", ordering="container__host__name")
    def host_link(self, row: ServiceInstance) -> SafeString:
        return link(row.container.host if row.container else None)

    @admin.display(description="container")
    def container_link(self, row: ServiceInstance) -> SafeString:
        return link(row.container)

    @admin.display(description="host and port", ordering="container__host__name")
    def place(self, row: ServiceInstance) -> SafeString:
        if row.container is None:
            return NOTHING
        port = row.container.port
        text = f"port {port}" if port else ""
        host = link(row.container.host)
        return format_html('{}<br><span class="mini">{}</span>', host, text)

    @admin.display(description="bindings", ordering="live_bindings")
    def binding_count(self, row: Any) -> SafeString:
        return count_link(row.live_bindings, ServiceBinding, instance__id__exact=row.pk)

    @admin.display(description="space", ordering="space_guid")
    def space(self, row: ServiceInstance) -> SafeString:
        return names.with_guid(names.space(row), row.space_guid)

    @admin.display(description="GUID")
    def whole_guid(self, row: ServiceInstance) -> SafeString:
        return whole(row.guid)

    @admin.display(description="organization")
    def organization(self, row: ServiceInstance) -> SafeString:
        return names.whole_with_guid(names.organization(row), row.organization_guid)

    @admin.display(description="space")
    def whole_space(self, row: ServiceInstance) -> SafeString:
        return names.whole_with_guid(names.space(row), row.space_guid)

    @admin.display(description="began with")
    def began_with(self, row: ServiceInstance) -> SafeString:
        return link(row.restored_from)

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, row: ServiceInstance) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="gone since (UTC)")
    def gone(self, row: ServiceInstance) -> SafeString:
        return moment(row.gone_at)

    @admin.display(description="address for apps")
    def address(self, row: ServiceInstance) -> str:
        if row.container is None or row.container.port is None:
            return NOTHING
        return f"{row.container.host.database_host}:{row.container.port}"

    @admin.display(description="limits")
    def limits(self, row: ServiceInstance) -> str:
        if row.container is None:
            return NOTHING
        made = row.container
        given = f"{made.memory_mb} MiB, {made.cpus} CPUs, {made.pids} processes"
        return f"{given}, {disk.limit(made)}"

    @admin.display(description="disk", ordering="container__disk_bytes")
    def disk_use(self, row: ServiceInstance) -> SafeString:
        return disk.column(row)

    @admin.display(description="disk")
    def disk_story(self, row: ServiceInstance) -> SafeString:
        return disk.explanation(row)

    @admin.display(description="behind its plan")
    def behind_plan(self, row: ServiceInstance) -> SafeString:
        return behind.explanation(row)

    @admin.display(description="parameters")
    def parameters_json(self, row: ServiceInstance) -> SafeString:
        return as_json(row.parameters)

    @admin.display(description="context")
    def context_json(self, row: ServiceInstance) -> SafeString:
        return as_json(row.context)
