"""Docker hosts, which operators may adjust, and the ports leased on them."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import host_disk, host_images, tables
from instances.admin.base import (
    ConsoleAdmin,
    ReadOnlyAdmin,
    Section,
    count_of,
    save_edited,
)
from instances.admin.html import badge, count_link, link, moment, preformatted
from instances.models import Container, DockerHost, PortLease

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?|::[0-9A-Fa-f:.]+")
_WITH_PORT = re.compile(r"[^:]+:\d+")
_PORT_ERRORS = dict.fromkeys(
    ("required", "invalid", "min_value", "max_value"), "Give a port from 1024 to 65535."
)


class DockerHostForm(forms.ModelForm):
    """Names what is wrong together with its cure."""

    class Meta:
        model = DockerHost
        fields = [
            "name",
            "state",
            "database_host",
            "publish_address",
            "port_min",
            "port_max",
            "memory_mb",
            "reserve_mb",
        ]
        error_messages = {
            "name": {
                "required": "Give the host a name.",
                "unique": "Another Docker host has this name. Give it one of its own.",
            },
            "publish_address": {
                "required": "Give one of the host's IP addresses.",
                "invalid": "Give one of the host's IP addresses, such as 10.0.0.5; "
                "127.0.0.1 keeps the databases on the host itself.",
            },
            "port_min": _PORT_ERRORS,
            "port_max": _PORT_ERRORS,
            "memory_mb": dict.fromkeys(
                ("required", "invalid", "min_value"),
                "Give the MiB that all databases together may have, 0 for none.",
            ),
            "reserve_mb": dict.fromkeys(
                ("required", "invalid", "min_value"),
                "Give the MiB that backups leave free, 0 for none.",
            ),
        }
        labels = {"port_min": "Lowest port", "port_max": "Highest port"}
        help_texts = {
            "state": "A cordoned host gets no new databases; those it has run on.",
        }

    def clean_database_host(self) -> str:
        text: str = self.cleaned_data["database_host"]
        if not _HOST_NAME.fullmatch(text) or _WITH_PORT.fullmatch(text):
            raise forms.ValidationError(
                "Give a host name or an IP address alone, without scheme and port."
            )
        return text


@admin.register(DockerHost)
class DockerHostAdmin(ConsoleAdmin):
    form = DockerHostForm
    list_display = [
        "name",
        "state_badge",
        "contact_badge",
        "database_host",
        "port_range",
        "memory",
        "free_disk",
        "container_count",
    ]
    list_filter = ["state"]
    search_fields = ["name", "url", "database_host", "publish_address", "ports__number"]
    search_help_text = "Name, URL, address, port"
    empty_text = (
        "There is no Docker host, so no database can be made. "
        "manage.py bootstrap adds the one that DOCKER_HOST names."
    )
    readonly_fields = [
        *("url", "contact_badge", "reached", "problem_text"),
        *("memory", "disk_story"),
    ]
    fieldsets = [
        (None, {"fields": ["name", "state", "url"]}),
        ("Health", {"fields": ["contact_badge", "reached", "problem_text"]}),
        (
            "Where databases listen",
            {"fields": ["database_host", "publish_address", "port_min", "port_max"]},
        ),
        ("Room", {"fields": ["memory_mb", "memory", "reserve_mb", "disk_story"]}),
    ]

    def annotations(self) -> dict[str, Any]:
        present = Container.objects.exclude(state=Container.State.GONE)
        given = (
            present.filter(host=OuterRef("pk"))
            .order_by()
            .values("host")
            .annotate(given=Sum("memory_mb"))
        )
        return {
            "given_mb": Coalesce(Subquery(given.values("given")), 0),
            "container_number": count_of(present, "host"),
        }

    def sections(self, request: HttpRequest, row: DockerHost) -> list[Section]:
        return [host_images.section(request, self, row), tables.containers(row)]

    def get_urls(self) -> list[Any]:
        return [*host_images.urls(self), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: DockerHost, form: Any, change: bool
    ) -> None:
        target = f"Docker host {obj.name}"
        save_edited(request, obj, form, action="edit host", target=target)

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: DockerHost) -> SafeString:
        return badge(row.state, row.get_state_display())

    @admin.display(description="contact", ordering="problem")
    def contact_badge(self, row: DockerHost) -> SafeString:
        if row.problem:
            return badge("not reached")
        return badge("reached") if row.reached_at else badge("not tried yet")

    @admin.display(description="ports", ordering="port_min")
    def port_range(self, row: DockerHost) -> str:
        return f"{row.port_min} to {row.port_max}"

    @admin.display(description="memory given (MiB)", ordering="given_mb")
    def memory(self, row: Any) -> str:
        return f"{row.given_mb} of {row.memory_mb}"

    @admin.display(description="disk free", ordering="free_bytes")
    def free_disk(self, row: DockerHost) -> SafeString:
        return host_disk.column(row)

    @admin.display(description="disk free")
    def disk_story(self, row: DockerHost) -> SafeString:
        return host_disk.explanation(row)

    @admin.display(description="containers", ordering="container_number")
    def container_count(self, row: Any) -> SafeString:
        return count_link(row.container_number, Container, host__id__exact=row.pk)

    @admin.display(description="last contact (UTC)", ordering="reached_at")
    def reached(self, row: DockerHost) -> SafeString:
        return moment(row.reached_at)

    @admin.display(description="problem")
    def problem_text(self, row: DockerHost) -> SafeString:
        return preformatted(row.problem)


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
    fieldsets = [
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
