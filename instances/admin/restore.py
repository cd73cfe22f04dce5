"""The confirmation that stands before every restore from the console."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from instances import errors
from instances.admin import backup_display as display
from instances.admin.chosen import confirmation, load, operator, say_refused
from instances.admin.html import change_url, link, mebibytes, span
from instances.admin.typed import TypedForm
from instances.models import Backup, ServiceInstance
from instances.operations import restore
from instances.operations import restore_forecast as forecast

URL_NAME = "instances_backup_restore"
TEMPLATE = "admin/instances/restore_confirmation.html"


class RestoreForm(TypedForm):
    is_safe = forms.BooleanField(
        required=False, initial=True, label="Take a backup of now first"
    )


def confirm(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET says in numbers what will happen; POST with the right words records it."""
    if not model_admin.has_restore_permission(request):
        raise PermissionDenied
    backup = model_admin.get_queryset(request).filter(pk=pk).first()
    if backup is None:
        raise Http404
    instance = load([backup.instance_id])[0]
    try:
        restore.check(instance, backup)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
        return HttpResponseRedirect(change_url(backup))
    is_post = request.method == "POST"
    form = RestoreForm(request.POST if is_post else None, [instance])
    if is_post and form.is_valid():
        is_safe = form.cleaned_data["is_safe"]
        return _accept(request, instance, backup, is_safe=is_safe)
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        [instance],
        title="Restore",
        form=form,
        backup=backup,
        back_url=change_url(backup),
        **_numbers(instance, backup),
    )


def _numbers(instance: ServiceInstance, backup: Backup) -> dict[str, object]:
    container = instance.container
    taken_at = backup.taken_at or backup.created_at
    last = forecast.last_downtime(backup)
    return {
        "taken_at": display.taken_at(backup),
        "since": span(timezone.now() - taken_at),
        "size": mebibytes(backup.delta_bytes),
        "size_now": mebibytes(container.disk_bytes if container else None),
        "hold": display.hold_of(instance.plan, container),
        "down": span(forecast.downtime(backup)),
        "last_down": span(last) if last else "",
        "bindings": forecast.bindings(instance, taken_at),
        "counts": _counts(instance, backup),
    }


def _counts(instance: ServiceInstance, backup: Backup) -> list[tuple[str, str]]:
    """What was counted then beside what is counted now."""
    found = backup.inventory.get("found") or backup.inventory.get("after", {})
    now = forecast.count_now(instance, backup)
    shown = []
    for name, number in found.items():
        if name != "witness":
            today = now.get(name, "nobody answers")
            shown.append((name, f"{number} then, {today} now"))
    return shown


def _accept(
    request: HttpRequest, instance: ServiceInstance, backup: Backup, *, is_safe: bool
) -> HttpResponse:
    try:
        operation = restore.accept(backup, actor=operator(request), is_safe=is_safe)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
        return HttpResponseRedirect(change_url(backup))
    what = (link(operation, "Restore"), link(instance))
    messages.success(request, format_html("{} of {} is recorded.", *what))
    return HttpResponseRedirect(change_url(instance))
