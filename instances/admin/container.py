"""Containers: every one this broker has made, and where it is."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import host_findings, logs
from instances.admin.base import ReadOnlyAdmin, Section
from instances.admin.html import as_json, as_lines, badge, link, moment
from instances.admin.live import live
from instances.models import Container

EXPLAINED = {
    Container.State.KEPT: "stopped, with its data, until its successor is found to "
    "have that; if it never is, this one runs again"
}
"""States whose name does not say what becomes of the container."""


@admin.register(Container)
class ContainerAdmin(ReadOnlyAdmin):
    list_display = [
        "container_link",
        "state_badge",
        "host_link",
        "port_number",
        "instance_link",
        "plan_link",
        "memory_mb",
        "image",
        "created",
    ]
    list_display_links = None
    list_filter = ["state", "disk_state", "host", "plan", "engine", "image"]
    search_fields = [
        "id",
        "host__name",
        "lease__number",
        "image",
        "instance__guid",
        "instance__instance_name",
    ]
    search_help_text = "Id, host, port, image, GUID or name of the service instance"
    list_select_related = ["host", "lease", "instance", "plan__offering"]
    empty_text = (
        "The broker has not made a container yet. "
        "Each service instance gets one, and it stays here as history. "
        "Plans may keep some on standby for the next service instances."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "explained_state",
                    "docker_name",
                    "instance_link",
                    "host_link",
                    "port_number",
                    "former",
                    "followers",
                    "created",
                    "lost",
                    "gone",
                ]
            },
        ),
        (
            "Made with",
            {
                "fields": [
                    *("plan_link", "engine", "image", "settings_json"),
                    *("memory_mb", "cpus", "pids", "disk_mb", "when_disk_full"),
                ]
            },
        ),
    ]

    def sections(self, request: HttpRequest, row: Container) -> list[Section]:
        return [*host_findings.of_container(row), live(row), logs.tail(row)]

    @admin.display(description="container", ordering="id")
    def container_link(self, row: Container) -> SafeString:
        return link(row)

    @admin.display(description="name in Docker")
    def docker_name(self, row: Container) -> str:
        return row.name

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Container) -> SafeString:
        return badge(row.state, row.get_state_display())

    @admin.display(description="state")
    def explained_state(self, row: Container) -> SafeString:
        text = EXPLAINED.get(Container.State(row.state))
        return format_html("{} {}", self.state_badge(row), text or "")

    @admin.display(description="has its data from")
    def former(self, row: Container) -> SafeString:
        return _links(Container.objects.filter(successors=row))

    @admin.display(description="successors")
    def followers(self, row: Container) -> SafeString:
        return _links(row.successors.all())

    @admin.display(description="host", ordering="host__name")
    def host_link(self, row: Container) -> SafeString:
        return link(row.host)

    @admin.display(description="port", ordering="lease__number")
    def port_number(self, row: Container) -> int | None:
        return row.port

    @admin.display(description="service instance", ordering="instance__instance_name")
    def instance_link(self, row: Container) -> SafeString:
        return link(getattr(row, "instance", None))

    @admin.display(description="plan", ordering="plan__name")
    def plan_link(self, row: Container) -> SafeString:
        return link(row.plan)

    @admin.display(description="settings")
    def settings_json(self, row: Container) -> SafeString:
        return as_json(row.settings)

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, row: Container) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="lost since (UTC)")
    def lost(self, row: Container) -> SafeString:
        return moment(row.lost_at)

    @admin.display(description="gone since (UTC)")
    def gone(self, row: Container) -> SafeString:
        return moment(row.gone_at)


def _links(rows: QuerySet[Container]) -> SafeString:
    """A line for each, without its secret."""
    return as_lines(
        format_html("{} {}", link(row), badge(row.state, row.get_state_display()))
        for row in rows.only("state").order_by("created_at")
    )
