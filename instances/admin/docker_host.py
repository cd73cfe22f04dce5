"""Docker hosts, which operators may adjust."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString

from instances import certificates
from instances.admin import (
    adopt,
    drain,
    host_connection,
    host_containers,
    host_disk,
    host_findings,
    host_images,
    placement,
    tables,
)
from instances.admin.base import (
    ConsoleAdmin,
    Section,
    Tool,
    asks,
    count_of,
    record,
    save_edited,
)
from instances.admin.docker_host_form import SECRETS, DockerHostForm
from instances.admin.html import (
    badge,
    change_url,
    count_link,
    moment,
    preformatted,
)
from instances.models import Container, DockerHost


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
        *("contact_badge", "reached", "problem_text"),
        *("memory", "disk_story", "engine_id", "expires"),
    ]
    add_fieldsets: ClassVar[list[Any]] = [
        (None, {"fields": ["name", "state", "url", "labels"]}),
        (
            "Certificates, for tcp://",
            {
                "fields": ["tls_ca", "tls_certificate", "tls_key"],
                "description": "All three or none. How to make them: Docker's page "
                "“Protect the Docker daemon socket”.",
            },
        ),
        (
            "Keys, for ssh://",
            {
                "fields": ["ssh_host_key", "ssh_key"],
                "description": "The broker runs ssh and, on the other machine, docker "
                "system dial-stdio.",
            },
        ),
        (
            "Where databases listen",
            {"fields": ["database_host", "publish_address", "port_min", "port_max"]},
        ),
        ("Room", {"fields": ["memory_mb", "reserve_mb"]}),
    ]
    fieldsets: ClassVar[list[Any]] = [
        add_fieldsets[0],
        (
            "Health",
            {"fields": ["contact_badge", "reached", "problem_text", "engine_id"]},
        ),
        (
            "Certificates, for tcp://",
            {"fields": ["expires", "tls_ca", "tls_certificate", "tls_key"]},
        ),
        add_fieldsets[2],
        (
            "Where databases listen",
            {"fields": ["database_host", "publish_address", "port_min", "port_max"]},
        ),
        ("Room", {"fields": ["memory_mb", "memory", "reserve_mb", "disk_story"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DockerHost]:
        """Those that were removed have a page, and a place in the list if asked for."""
        rows = super().get_queryset(request)
        match, removed = request.resolver_match, DockerHost.State.REMOVED
        is_list = match is not None and str(match.url_name).endswith("_changelist")
        if is_list and request.GET.get("state__exact") != removed:
            return rows.exclude(state=removed)
        return rows

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.state == DockerHost.State.REMOVED:
            return False
        return super().has_change_permission(request, obj)

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
        if row.state == DockerHost.State.REMOVED:
            return []
        return [
            host_findings.section(request, self, row),
            host_connection.section(request, self, row),
            host_images.section(request, self, row),
            *tables.debts(row),
            tables.containers(row),
        ]

    has_check_permission = asks("check")
    has_prestage_permission = asks("prestage")
    has_reconcile_permission = asks("reconcile")
    has_drain_permission = asks("drain")
    has_remove_permission = asks("remove")

    def tools(self, request: HttpRequest, row: DockerHost) -> list[Tool]:
        return drain.tools(request, self, row)

    def drain_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return drain.drain_page(request, self, pk)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return drain.cancel(request, self, pk)

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return drain.remove_page(request, self, pk)

    def get_urls(self) -> list[Any]:
        dry_run = path(
            "placement/",
            self.admin_site.admin_view(self.placement_view),
            name=placement.URL_NAME,
        )
        parts = (
            *(drain, host_connection, host_containers, host_images),
            *(host_findings, adopt),
        )
        more = [url for part in parts for url in part.urls(self)]
        return [dry_run, *more, *super().get_urls()]

    def placement_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return placement.dry_run(request, self)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return [
            (title, {**options, "fields": _without_secrets(options["fields"])})
            for title, options in self.fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # What it has had is remembered as being there.
        fixed = obj is not None and obj.containers.exists()
        return [*self.readonly_fields, "url"] if fixed else [*self.readonly_fields]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One that has never had a database may go, such as a mistaken one."""
        if obj is None or obj.containers.exists() or obj.ports.exists():
            return False
        return super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: DockerHost) -> None:
        record(request, "delete host", f"Docker host {obj.name}", {})
        super().delete_model(request, obj)

    def save_model(
        self, request: HttpRequest, obj: DockerHost, form: Any, change: bool
    ) -> None:
        target = f"Docker host {obj.name}"
        if change:
            save_edited(request, obj, form, action="edit host", target=target)
        else:
            obj.save()
            record(request, "add host", target, {"url": ["", obj.url]})

    def response_post_save_add(
        self, request: HttpRequest, obj: DockerHost
    ) -> HttpResponseRedirect:
        messages.info(request, "Test its connection now, under Connection.")
        return HttpResponseRedirect(f"{change_url(obj)}#connection")

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: DockerHost) -> SafeString:
        return badge(row.state, row.get_state_display())

    @admin.display(description="contact", ordering="problem")
    def contact_badge(self, row: DockerHost) -> SafeString:
        if row.is_quarantined:
            return badge("another engine", tone="bad")
        if row.is_braked:
            return badge("held back", tone="bad")
        if row.problem:
            return badge("not reached")
        if certificates.is_soon(row.expires_at, timezone.now()):
            return badge("certificate expires", tone="wait")
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

    @admin.display(description="first expires (UTC)")
    def expires(self, row: DockerHost) -> SafeString:
        expiry = row.expires_at
        if certificates.is_soon(expiry, timezone.now()):
            return badge("", moment(expiry), tone="wait")
        return moment(expiry)

    @admin.display(description="problem")
    def problem_text(self, row: DockerHost) -> SafeString:
        return preformatted(row.problem)


def _without_secrets(names: list[str]) -> list[str]:
    """Those who may not change a host are shown its fields' values, not its form."""
    return [name for name in names if name not in SECRETS]
