"""Operations: what was asked for, how far it got, and what went wrong."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import operation_actions, stale
from instances.admin.base import ReadOnlyAdmin, Section
from instances.admin.html import (
    NOTHING,
    as_lines,
    badge,
    isolated,
    link,
    moment,
    preformatted,
    span,
    whole,
)
from instances.admin.tables import took
from instances.models import (
    Backup,
    DockerHost,
    Evidence,
    Kind,
    Operation,
    ServicePlan,
)
from instances.models.evidence import KEPT_FOR


@admin.register(Operation)
class OperationAdmin(operation_actions.Actions, ReadOnlyAdmin):
    list_display = [
        "name",
        "state_badge",
        "instance_link",
        "created",
        "duration",
        "attempts",
        "asked_by",
        "short_error",
    ]
    list_display_links = None
    list_filter = ["state", "kind", "created_at"]
    search_fields = [
        "id",
        "instance__guid",
        "instance__instance_name",
        "binding__guid",
        "requested_by",
        "request_id",
        "owner",
        "error",
    ]
    search_help_text = (
        "Id, GUID of service instance or binding, instance name, request, who, error"
    )
    list_select_related = ["instance", "binding"]
    show_full_result_count = False
    empty_text = (
        "Nothing has been asked for yet. "
        "Every provision, bind, unbind and deprovision will be here, with its steps."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "state_badge",
                    "kind",
                    "wish",
                    "instance_link",
                    "binding_link",
                    "id",
                    "requested_by",
                    "request_id",
                ]
            },
        ),
        ("Outcome", {"fields": ["error", "detail_text"]}),
        (
            "Progress",
            {
                "fields": [
                    "created",
                    "waited",
                    "duration",
                    "attempts",
                    "owner",
                    "leased",
                    "next_try",
                    "deadline",
                ]
            },
        ),
    ]

    def sections(self, request: HttpRequest, row: Operation) -> list[Section]:
        content = {"entries": list(timeline(row))}
        found = [Section("Steps", "admin/instances/section_timeline.html", content)]
        evidence = Evidence.objects.filter(operation=row).first()
        if evidence is not None:
            said = {"evidence": evidence, "until": moment(evidence.taken_at + KEPT_FOR)}
            template = "admin/instances/section_evidence.html"
            found.append(Section("Evidence", template, said))
        moved = row.kind == Kind.MOVE and row.state == row.State.SUCCEEDED
        renewals = stale.sections(row.instance) if moved else ()
        return [*self.action_sections(request, row), *renewals, *found]

    @admin.display(description="operation", ordering="kind")
    def name(self, row: Operation) -> SafeString:
        return link(row, row.get_kind_display())

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Operation) -> SafeString:
        return badge(row.state, row.get_state_display())

    @admin.display(description="service instance", ordering="instance__instance_name")
    def instance_link(self, row: Operation) -> SafeString:
        return link(row.instance)

    @admin.display(description="service binding")
    def binding_link(self, row: Operation) -> SafeString:
        return link(row.binding)

    @admin.display(description="what is wanted")
    def wish(self, row: Operation) -> SafeString:
        if row.kind == Kind.RESTORE:
            return link(Backup.objects.filter(pk=row.request["backup"]).first())
        if row.kind == Kind.MOVE:
            host = DockerHost.with_removed.filter(pk=row.request["host"]).first()
            return whole(f"to {host or 'the best host'}")
        return as_lines(_wishes(row.request) if row.kind == Kind.UPDATE else ())

    @admin.display(description="recorded (UTC)", ordering="created_at")
    def created(self, row: Operation) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="waited for a worker")
    def waited(self, row: Operation) -> str:
        return span(row.started_at - row.created_at) if row.started_at else NOTHING

    @admin.display(description="took")
    def duration(self, row: Operation) -> str:
        return took(row)

    @admin.display(description="asked for by", ordering="requested_by")
    def asked_by(self, row: Operation) -> SafeString:
        return isolated(row.requested_by)

    @admin.display(description="error")
    def short_error(self, row: Operation) -> SafeString:
        return isolated(row.error)

    @admin.display(description="detail for the operator")
    def detail_text(self, row: Operation) -> SafeString:
        return preformatted(row.detail)

    @admin.display(description="leased until (UTC)")
    def leased(self, row: Operation) -> SafeString:
        return moment(row.leased_until)

    @admin.display(description="next try (UTC)")
    def next_try(self, row: Operation) -> SafeString:
        return moment(row.not_before) if row.state == row.State.QUEUED else NOTHING

    @admin.display(description="deadline (UTC)")
    def deadline(self, row: Operation) -> SafeString:
        return moment(row.deadline_at)


def _wishes(request: dict[str, Any]) -> Iterator[str]:
    """What an update is to change, and what not."""
    wanted, former = request["plan_id"], request["former_plan_id"]
    plans = ServicePlan.objects.select_related("offering").in_bulk([wanted, former])
    if wanted == former:
        yield f"plan: {plans[wanted]}, as before"
    else:
        yield f"plan: {plans[wanted]} instead of {plans[former]}"
    how = "as the plan says by now" if request["as_planned"] else "as before"
    yield f"image and limits: {how}"
    for name, value in sorted(request["parameters"].items()):
        yield f"{name}: {value}"


def timeline(operation: Operation) -> Iterator[dict[str, Any]]:
    """What happened, oldest first, each with the time since what came before."""
    before: datetime | None = None
    for at, text, why in _happened(operation):
        since = span(at - before) if before and at >= before else ""
        yield {"at": moment(at), "since": since, "text": text, "why": why}
        before = at


def _happened(operation: Operation) -> Iterator[tuple[datetime, str, str]]:
    yield operation.created_at, "recorded", ""
    if operation.started_at:
        yield operation.started_at, "first claimed", ""
    for step in operation.steps:
        yield datetime.fromisoformat(step["at"]), step["text"], step.get("why", "")
    if operation.finished_at:
        yield operation.finished_at, str(operation.get_state_display()), ""
