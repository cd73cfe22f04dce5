"""Bulk runs in the console: confirm one, watch it, pause, continue or cancel it."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin, Section, count_of
from instances.admin.chosen import operator
from instances.admin.html import badge, change_url, isolated, link, moment
from instances.models import BulkItem, BulkRun
from instances.operations import bulk

START_URL = "instances_bulkrun_start"
STEER_URL = "instances_bulkrun_steer"
PROGRESS_URL = "instances_bulkrun_progress"
TEMPLATE = "admin/instances/section_bulk.html"
MOST_SHOWN = 200
PERMISSIONS = {
    BulkRun.Action.BACK_UP: "instances.back_up_serviceinstance",
    BulkRun.Action.RESTART: "instances.restart_serviceinstance",
    BulkRun.Action.UPGRADE: "instances.upgrade_serviceinstance",
    BulkRun.Action.DEPROVISION: "instances.deprovision_serviceinstance",
}
EFFECTS = {
    BulkRun.Action.BACK_UP: "Apps wait for a moment while each is committed.",
    BulkRun.Action.RESTART: "Each is down for some seconds, and its sessions end.",
    BulkRun.Action.UPGRADE: "Each becomes what its plan says by now; with another "
    "image it is down while its data is copied. What is not behind is left alone.",
    BulkRun.Action.DEPROVISION: "Each is removed with all data. It cannot be taken "
    "back, and the platform is not told.",
}
STEERING = {
    BulkRun.State.PLANNED: ("cancel",),
    BulkRun.State.RUNNING: ("pause", "cancel"),
    BulkRun.State.PAUSED: ("continue", "cancel"),
}


class StartForm(forms.Form):
    concurrency = forms.IntegerField(
        min_value=1, max_value=20, initial=3, label="At a time"
    )
    reason = forms.CharField(
        required=False,
        max_length=255,
        label="Reason",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    with_backup = forms.BooleanField(
        required=False, initial=True, label="A final backup, where the plan keeps one"
    )
    confirmation = forms.CharField(
        label="Type how many service instances this will remove",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None, run: BulkRun, number: int) -> None:
        super().__init__(data)
        self._expected = str(number)
        if run.action != BulkRun.Action.DEPROVISION:
            del self.fields["with_backup"], self.fields["confirmation"]

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._expected:
            raise forms.ValidationError("This is not how many are meant. Look again.")
        return typed


@admin.register(BulkRun)
class BulkRunAdmin(ReadOnlyAdmin):
    list_display = ["name", "state_badge", "number", "asked_by", "created", "finished"]
    list_display_links = None
    list_filter = ["state", "action"]
    search_fields = ["requested_by", "reason", "items__instance__guid"]
    empty_text = (
        "Nothing has been done to many service instances at once yet. Select some in "
        "their list, and choose an action."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("state_badge", "action", "reason_text", "asked_by"),
                    *("concurrency", "created", "started", "finished"),
                ]
            },
        )
    ]

    def get_urls(self) -> list[Any]:
        pages = {
            START_URL: ("start/", self.start_view),
            STEER_URL: ("steer/", self.steer_view),
            PROGRESS_URL: ("progress/", self.progress_view),
        }
        view = self.admin_site.admin_view
        return [
            *(
                path(f"<uuid:pk>/{word}", view(body), name=name)
                for name, (word, body) in pages.items()
            ),
            *super().get_urls(),
        ]

    def may_steer(self, request: HttpRequest, run: BulkRun) -> bool:
        return request.user.has_perm(PERMISSIONS[BulkRun.Action(run.action)])

    def sections(self, request: HttpRequest, row: BulkRun) -> list[Section]:
        return [Section("Progress", TEMPLATE, self._progress(request, row))]

    def _progress(self, request: HttpRequest, row: BulkRun) -> dict[str, Any]:
        counts = row.counts()
        going_on = row.state == row.State.RUNNING or counts.get(BulkItem.State.STARTED)
        may = self.may_steer(request, row)
        refresh = reverse(f"admin:{PROGRESS_URL}", args=[row.pk]) if going_on else ""
        is_planned = row.state == row.State.PLANNED
        return {
            "state": badge(row.state, row.get_state_display()),
            "counts": [(badge(name), counts[name]) for name in sorted(counts)],
            "total": sum(counts.values()),
            "done": sum(counts.values()) - _open(counts),
            "rows": _rows(row),
            "most": MOST_SHOWN,
            "refresh_url": refresh,
            "words": STEERING.get(BulkRun.State(row.state), ()) if may else (),
            "start_url": reverse(f"admin:{START_URL}", args=[row.pk])
            if is_planned and may
            else "",
        }

    def _get(self, request: HttpRequest, pk: uuid.UUID) -> BulkRun:
        run = BulkRun.objects.filter(pk=pk).first()
        if run is None:
            raise Http404
        return run

    def start_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET says what will happen to how many; POST begins it."""
        run = self._get(request, pk)
        if not self.may_steer(request, run):
            raise PermissionDenied
        number = run.items.count()
        if run.state != BulkRun.State.PLANNED:
            messages.warning(request, "This run has been confirmed already.")
            return HttpResponseRedirect(change_url(run))
        form = StartForm(
            request.POST if request.method == "POST" else None, run, number
        )
        if form.is_valid():
            return self._start(request, run, form.cleaned_data)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(run),
            "run": run,
            "effect": EFFECTS[BulkRun.Action(run.action)],
            "number": number,
            "rows": _rows(run),
            "most": MOST_SHOWN,
            "form": form,
            "back_url": change_url(run),
        }
        return render(request, "admin/instances/bulk_confirmation.html", context)

    def _start(
        self, request: HttpRequest, run: BulkRun, wish: dict[str, Any]
    ) -> HttpResponse:
        done = bulk.start(
            run,
            actor=operator(request),
            concurrency=wish["concurrency"],
            with_backup=wish.get("with_backup", True),
            reason=wish["reason"],
        )
        text = "It is begun." if done else "This run has been confirmed already."
        messages.add_message(
            request, messages.SUCCESS if done else messages.WARNING, text
        )
        return HttpResponseRedirect(change_url(run))

    def steer_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        run = self._get(request, pk)
        if not self.may_steer(request, run):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        word = request.POST.get("word", "")
        if word not in ("pause", "continue", "cancel"):
            messages.error(request, "Choose to pause, continue or cancel it.")
        elif bulk.steer(run, word, actor=operator(request)):
            messages.success(request, f"Done: {word}. What is under way goes on.")
        else:
            run.refresh_from_db()
            text = f"Too late to {word} it: it is {run.get_state_display()}."
            messages.warning(request, text)
        return HttpResponseRedirect(change_url(run))

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The section alone, for the page to replace while something is under way."""
        run = self._get(request, pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return render(request, TEMPLATE, {"content": self._progress(request, run)})

    def annotations(self) -> dict[str, Any]:
        return {"item_number": count_of(BulkItem.objects.all(), "run")}

    @admin.display(description="bulk run", ordering="action")
    def name(self, row: BulkRun) -> SafeString:
        return link(row)

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: BulkRun) -> SafeString:
        return badge(row.state, row.get_state_display())

    @admin.display(description="service instances", ordering="item_number")
    def number(self, row: Any) -> int:
        return int(row.item_number)

    @admin.display(description="asked for by", ordering="requested_by")
    def asked_by(self, row: BulkRun) -> SafeString:
        return isolated(row.requested_by)

    @admin.display(description="reason")
    def reason_text(self, row: BulkRun) -> SafeString:
        return isolated(row.reason, longest=255)

    @admin.display(description="planned (UTC)", ordering="created_at")
    def created(self, row: BulkRun) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="begun (UTC)")
    def started(self, row: BulkRun) -> SafeString:
        return moment(row.started_at)

    @admin.display(description="ended (UTC)", ordering="finished_at")
    def finished(self, row: BulkRun) -> SafeString:
        return moment(row.finished_at)


def _open(counts: dict[str, int]) -> int:
    states = (BulkItem.State.WAITING, BulkItem.State.STARTED)
    return sum(counts.get(state, 0) for state in states)


def _rows(run: BulkRun) -> list[tuple[object, ...]]:
    items = run.items.select_related("instance", "operation")[:MOST_SHOWN]
    return [
        (
            link(item.instance),
            badge(item.state, item.get_state_display()),
            link(item.operation, "Operation") if item.operation else "",
            isolated(item.reason, longest=200) if item.reason else "",
        )
        for item in items
    ]
