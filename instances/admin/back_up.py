"""The confirmation that stands before a backup from the console: writers wait."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from instances import errors
from instances.admin import backup_display as display
from instances.admin.chosen import (
    confirmation,
    get_chosen,
    operator,
    say_refused,
    way_back,
)
from instances.admin.html import link, mebibytes
from instances.models import Backup, ServiceInstance
from instances.models.backup import Trigger
from instances.operations import back_up

URL_NAME = "instances_serviceinstance_back_up"
TEMPLATE = "admin/instances/back_up_confirmation.html"


class BackUpForm(forms.Form):
    method = forms.ChoiceField(
        choices=[
            ("", "As the plan says"),
            (Backup.Method.PAUSED, "Paused: done sooner, apps wait longer"),
            (Backup.Method.HOT, "Hot: apps go on, it takes longer"),
        ],
        required=False,
        label="Method",
        help_text="Hot takes longer; of MariaDB it needs room for the data twice.",
    )
    note = forms.CharField(
        required=False,
        max_length=255,
        label="Note",
        help_text="What it is for, if that will be asked.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET says how long writers will wait; POST records the wish."""
    if not model_admin.has_back_up_permission(request):
        raise PermissionDenied
    chosen = get_chosen(request)
    ready = _those_ready(request, chosen)
    if not ready:
        return HttpResponseRedirect(way_back(chosen))
    form = BackUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        for instance in ready:
            _accept(request, instance, form.cleaned_data)
        return HttpResponseRedirect(way_back(chosen))
    return confirmation(
        request, model_admin, TEMPLATE, ready, title="Back up", form=form
    )


def _those_ready(
    request: HttpRequest, chosen: list[ServiceInstance]
) -> list[ServiceInstance]:
    """Those with a database, as .size, .holds and .last; a word about the others."""
    ready = []
    last = _last_holds(chosen)
    for instance in chosen:
        container = instance.container
        if instance.state != ServiceInstance.State.READY or container is None:
            text = "{} is {}: there is nothing to back up."
            state = instance.get_state_display().lower()
            messages.warning(request, format_html(text, link(instance), state))
            continue
        instance.size = mebibytes(container.disk_bytes)  # type: ignore[attr-defined]
        instance.holds = display.holds_of(instance.plan, container)  # type: ignore[attr-defined]
        instance.last = last.get(instance.pk, "")  # type: ignore[attr-defined]
        ready.append(instance)
    return ready


def _last_holds(chosen: list[ServiceInstance]) -> dict[uuid.UUID, str]:
    """How long writers were held by each one's latest backup."""
    rows = Backup.objects.filter(instance__in=chosen, held_ms__isnull=False)
    return {row.instance_id: display.held(row) for row in rows.order_by("created_at")}


def _accept(
    request: HttpRequest, instance: ServiceInstance, wish: dict[str, str]
) -> None:
    """The wish: method and note."""
    try:
        backup = back_up.accept(
            instance, trigger=Trigger.OPERATOR, actor=operator(request), **wish
        )
    except errors.BrokerError as error:
        say_refused(request, instance, error)
    else:
        what = (link(backup, "Backup"), link(instance))
        messages.success(request, format_html("{} of {} is recorded.", *what))
