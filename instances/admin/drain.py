"""Drain and remove a Docker host: what would happen, what happens, and what is left."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from instances import errors
from instances.admin.base import Section, Tool, secret_columns, table
from instances.admin.chosen import operator
from instances.admin.html import (
    badge,
    change_url,
    link,
    list_url,
    mebibytes,
    moment,
    span,
)
from instances.admin.tables import took
from instances.models import DockerHost, Kind, Operation
from instances.operations import drain, leftovers, move_forecast, remove_host

DRAIN_URL = "instances_dockerhost_drain"
CANCEL_URL = "instances_dockerhost_cancel_drain"
REMOVE_URL = "instances_dockerhost_remove"
MOST_MOVES = 50
_State = DockerHost.State


class NamedForm(forms.Form):
    """The host's name, typed."""

    confirmation = forms.CharField(
        label="Type the host's name",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any, host: DockerHost) -> None:
        super().__init__(data)
        self._host = host

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._host.name.strip():
            raise forms.ValidationError("This is not the host's name. Look again.")
        return typed


class DrainForm(NamedForm):
    at_once = forms.IntegerField(
        min_value=1,
        max_value=drain.MOST_AT_ONCE,
        initial=2,
        label="At once",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"),
            f"Give a number from 1 to {drain.MOST_AT_ONCE}.",
        ),
    )
    is_safe = forms.BooleanField(
        required=False, initial=True, label="Back up each one first"
    )
    field_order = ("at_once", "is_safe", "confirmation")


class RemoveForm(NamedForm):
    is_lost = forms.BooleanField(
        required=False, label="It is lost for good: forget what was only there"
    )
    field_order = ("is_lost", "confirmation")


def urls(model_admin: Any) -> list[Any]:
    view = model_admin.admin_site.admin_view
    return [
        path("<int:pk>/drain/", view(model_admin.drain_view), name=DRAIN_URL),
        path(
            "<int:pk>/cancel-drain/",
            require_POST(view(model_admin.cancel_view)),
            name=CANCEL_URL,
        ),
        path("<int:pk>/remove/", view(model_admin.remove_view), name=REMOVE_URL),
    ]


def tools(request: HttpRequest, model_admin: Any, host: DockerHost) -> list[Tool]:
    found = []
    if host.state != _State.REMOVED and model_admin.has_drain_permission(request):
        label = "Drain…" if host.state != _State.DRAINING else "See the drain…"
        found.append(Tool(reverse(f"admin:{DRAIN_URL}", args=[host.pk]), label))
    is_closed = host.state in (_State.CORDONED, _State.DRAINING)
    if is_closed and model_admin.has_remove_permission(request):
        url = reverse(f"admin:{REMOVE_URL}", args=[host.pk])
        found.append(Tool(url, "Remove…", is_dangerous=True))
    return found


def drain_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """GET shows what would happen, or what does; POST begins it."""
    host = _get(request, pk, model_admin.has_drain_permission)
    is_draining = host.state == _State.DRAINING
    form = DrainForm(request.POST or None, host)
    if request.method == "POST" and form.is_valid():
        return _begin(request, host, form)
    content = _progress(host) if is_draining else _preview(host)
    return _page(
        *(request, model_admin, host, "drain"),
        title=f"Drain {host}",
        form=form,
        is_draining=is_draining,
        cancel_url=reverse(f"admin:{CANCEL_URL}", args=[host.pk]),
        **content,
    )


def _begin(request: HttpRequest, host: DockerHost, form: DrainForm) -> HttpResponse:
    try:
        drain.accept(
            host,
            at_once=form.cleaned_data["at_once"],
            is_safe=form.cleaned_data["is_safe"],
            actor=operator(request),
        )
    except errors.BrokerError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{host} is being drained.")
    return HttpResponseRedirect(reverse(f"admin:{DRAIN_URL}", args=[host.pk]))


def cancel(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    host = _get(request, pk, model_admin.has_drain_permission)
    try:
        to = request.POST.get("state", "")
        drain.cancel(host, to=to, actor=operator(request))
    except errors.BrokerError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{host} is {to} again: the drain has ended.")
    return HttpResponseRedirect(change_url(host))


def remove_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """GET shows what stops it; POST removes the host."""
    host = _get(request, pk, model_admin.has_remove_permission)
    form = RemoveForm(request.POST or None, host)
    if request.method == "POST" and form.is_valid():
        try:
            is_lost = form.cleaned_data["is_lost"]
            remove_host.accept(host, actor=operator(request), is_lost=is_lost)
        except errors.BrokerError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{host} is removed.")
            return HttpResponseRedirect(list_url(DockerHost))
    left = leftovers.of(host)
    return _page(
        *(request, model_admin, host, "remove"),
        title=f"Remove {host}",
        form=form,
        left=left,
        is_silent=bool(host.problem) or host.is_quarantined,
        sections=[_leftovers(left)] if left else [],
    )


def _page(
    request: HttpRequest, model_admin: Any, host: DockerHost, name: str, **context: Any
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "opts": model_admin.opts,
        "host": host,
        "back_url": change_url(host),
        **context,
    }
    template = f"admin/instances/dockerhost/{name}.html"
    return TemplateResponse(request, template, context)


def _preview(host: DockerHost) -> dict[str, Any]:
    found = move_forecast.of_drain(host)
    rows = [
        (
            link(row.instance),
            str(row.instance.plan),
            row.instance.container.memory_mb if row.instance.container else None,
            link(row.host) if row.host else badge("stays", tone="bad"),
            row.why,
            row.stale,
        )
        for row in (*found.stuck, *found.moving)
    ]
    headers = ("Service instance", "Plan", "MiB", "Goes to", "Why", "Bindings to renew")
    section = table(
        "What would move", headers, rows, empty="No service instance is here."
    )
    return {
        "forecast": found,
        "held": span(found.held),
        "backups_size": mebibytes(found.backups_bytes),
        "sections": [section],
    }


def _progress(host: DockerHost) -> dict[str, Any]:
    left = leftovers.of(host)
    return {
        "left": left,
        "is_done": not left,
        "sections": [_leftovers(left), _moves(host)],
    }


def _leftovers(left: list[leftovers.Leftover]) -> Section:
    rows = [
        (
            link(item.row),
            item.row._meta.verbose_name,
            badge("stuck", tone="bad")
            if item.is_stuck
            else badge("on its way", tone="busy"),
            item.why,
        )
        for item in sorted(left, key=lambda item: not item.is_stuck)
    ]
    headers = ("What", "Kind", "", "Why it is here still")
    return table("Still here", headers, rows, empty="Nothing of this broker is here.")


def _moves(host: DockerHost) -> Section:
    moves = Operation.objects.filter(
        kind=Kind.MOVE,
        created_at__gte=host.drain_since,
        requested_by=drain.asked_by(host),
    )
    rows = moves.select_related("instance").order_by("-created_at")[:MOST_MOVES]
    return table(
        "Moves since it began",
        ("Move", "Service instance", "State", "Recorded (UTC)", "Took", "Last step"),
        (
            (
                link(row, "Move"),
                link(row.instance),
                badge(row.state, row.get_state_display()),
                moment(row.created_at),
                took(row),
                row.error or row.last_step,
            )
            for row in rows
        ),
        empty="None was recorded yet.",
        all_url=list_url(Operation, kind__exact=Kind.MOVE),
    )


def _get(request: HttpRequest, pk: int, is_allowed: Any) -> DockerHost:
    if not is_allowed(request):
        raise PermissionDenied
    rows = DockerHost.objects.defer(*secret_columns(DockerHost))
    host = rows.filter(pk=pk).first()
    if host is None:
        raise Http404
    return host
