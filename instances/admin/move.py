"""Moves from the console: where to and why, how long, and who must bind anew."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from instances import errors
from instances.admin import backup_display as display
from instances.admin.chosen import confirmation, load, operator, say_refused
from instances.admin.html import change_url, link, mebibytes, span
from instances.admin.typed import TypedForm
from instances.models import DockerHost, ServiceInstance
from instances.operations import move
from instances.operations import move_forecast as forecast

URL_NAME = "instances_serviceinstance_move"
TEMPLATE = "admin/instances/move_confirmation.html"
AUTOMATIC = ""


class MoveForm(TypedForm):
    host = forms.ChoiceField(
        required=False,
        label="To",
        error_messages={"invalid_choice": "Choose one of the hosts, or none."},
    )
    is_safe = forms.BooleanField(
        required=False, initial=True, label="Take a backup of now first"
    )

    def __init__(
        self,
        data: Any,
        instance: ServiceInstance,
        places: list[forecast.Destination],
    ) -> None:
        super().__init__(data, [instance])
        able = [place.host for place in places if not place.refusal]
        best = f"the best host: {able[0]} by now" if able else "the best host"
        choices = [(AUTOMATIC, best), *((str(row.pk), row.name) for row in able)]
        self.fields["host"].choices = choices  # type: ignore[attr-defined]


def confirm(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET says what will happen; POST with the right words records it."""
    if not model_admin.has_move_permission(request):
        raise PermissionDenied
    found = load([pk])
    if not found:
        raise Http404
    instance = found[0]
    try:
        move.check(instance)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
        return HttpResponseRedirect(change_url(instance))
    places = forecast.destinations(instance)
    is_post = request.method == "POST"
    form = MoveForm(request.POST if is_post else None, instance, places)
    if is_post and form.is_valid():
        return _accept(request, instance, form)
    return confirmation(
        *(request, model_admin, TEMPLATE, [instance]),
        title="Move to another host",
        form=form,
        **_numbers(instance, places),
    )


def _numbers(
    instance: ServiceInstance, places: list[forecast.Destination]
) -> dict[str, Any]:
    container = instance.container
    if container is None:
        return {}
    last = forecast.last_held(container)
    return {
        "places": places,
        "can_go": any(not place.refusal for place in places),
        "size": mebibytes(container.disk_bytes),
        "hold": display.hold_of(instance.plan, container),
        "down": span(forecast.outage(container)),
        "last_down": span(last) if last else "",
    }


def _accept(
    request: HttpRequest, instance: ServiceInstance, form: MoveForm
) -> HttpResponse:
    wanted = form.cleaned_data["host"]
    host = DockerHost.objects.get(pk=wanted) if wanted else None
    try:
        operation = move.accept(
            instance,
            host=host,
            actor=operator(request),
            is_safe=form.cleaned_data["is_safe"],
        )
    except errors.BrokerError as error:
        say_refused(request, instance, error)
        return HttpResponseRedirect(change_url(instance))
    what = (link(operation, "Move"), link(instance))
    messages.success(request, format_html("{} of {} is recorded.", *what))
    return HttpResponseRedirect(change_url(instance))
