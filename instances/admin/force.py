"""The page of a forced deprovision: what each level would do, and the wish."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from instances import errors
from instances.admin.chosen import confirmation, operator, say_refused, way_back
from instances.admin.html import link
from instances.admin.typed import TypedForm
from instances.admin.wish import get_one
from instances.models import Operation, ServiceInstance
from instances.operations import force
from instances.operations.execution import run_now, web_owner
from instances.operations.levels import Level

URL_NAME = "instances_serviceinstance_force_deprovision"
TEMPLATE = "admin/instances/force_confirmation.html"


class ForceForm(TypedForm):
    level = forms.ChoiceField(
        choices=[
            (
                Level.FORCE,
                "Force: go on without what cannot be removed, and remove it "
                "when its host answers",
            ),
            (Level.FORGET, "Forget: the host is gone for good, only the rows go"),
        ],
        initial=Level.FORCE,
        widget=forms.RadioSelect,
        label="How far",
    )
    reason = forms.CharField(
        max_length=255,
        label="Reason",
        help_text="It stands in the audit log beside your name.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    field_order = ("level", "reason", "confirmation")


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET shows what goes and what stays; POST with the right words records it."""
    if not model_admin.has_force_permission(request):
        raise PermissionDenied
    instance = get_one(request)
    if instance.state == ServiceInstance.State.GONE:
        _say_gone(request, instance)
        return HttpResponseRedirect(way_back([instance]))
    form = ForceForm(request.POST if request.method == "POST" else None, [instance])
    if form.is_valid():
        _accept(request, instance, form.cleaned_data)
        return HttpResponseRedirect(way_back([instance]))
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        [instance],
        title="Force deprovision",
        form=form,
        preview=force.preview(instance),
        is_lost=bool(force.lost_hosts(instance)),
    )


def _accept(
    request: HttpRequest, instance: ServiceInstance, wish: dict[str, str]
) -> None:
    level = Level(wish["level"])
    try:
        operation, is_new = force.accept(
            instance, level, actor=operator(request), reason=wish["reason"]
        )
    except errors.Gone:
        _say_gone(request, instance)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
    else:
        if level == Level.FORGET:
            _do_now(operation)
        what = (link(operation, "Forced deprovision"), link(instance))
        if is_new:
            messages.success(request, format_html("{} of {} is recorded.", *what))
        else:
            text = format_html("{} of {} is already under way.", *what)
            messages.warning(request, text)


def _do_now(operation: Operation) -> None:
    """Only rows change, and workers may all be waiting for that host."""
    if operation.claim(web_owner(), even_waiting=True):
        run_now(operation)


def _say_gone(request: HttpRequest, instance: ServiceInstance) -> None:
    text = "{} is gone already: there is nothing left to remove."
    messages.warning(request, format_html(text, link(instance)))
