"""Confirmations of what an operator wishes for one database, each alike."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html

from instances import errors
from instances.admin.chosen import (
    confirmation,
    get_chosen,
    operator,
    say_refused,
    way_back,
)
from instances.admin.html import link
from instances.models import Kind, Operation, ServiceInstance
from instances.operations import rotate_secret, run_state

TEMPLATE = "admin/instances/wish_confirmation.html"
PREFIX = "instances_serviceinstance_"


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=255,
        label="Reason",
        help_text="It stands in the audit log beside your name.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


@dataclass(frozen=True)
class Wish:
    """A page that says what will happen, and one button."""

    word: str
    title: str
    permission: str
    """The method of the ModelAdmin that asks for it."""
    effects: tuple[str, ...]
    accept: Callable[..., Operation]
    is_dangerous: bool = False

    @property
    def url_name(self) -> str:
        return PREFIX + self.word.replace("-", "_")


def _run_state(kind: Kind) -> Callable[..., Operation]:
    return lambda instance, **wish: run_state.accept(instance, kind, **wish)


RESTART = Wish(
    "restart",
    "Restart",
    "has_restart_permission",
    (
        "The database is stopped in order and started again: it is down for as long, "
        "and all sessions end. Apps that connect again find the same address, "
        "credentials and data.",
    ),
    _run_state(Kind.RESTART),
)
STOP = Wish(
    "stop",
    "Stop",
    "has_restart_permission",
    (
        "The database is stopped in order and stays down, through restarts of its "
        "host too, until an operator starts it here. Its data stays.",
        "Meanwhile the platform's binds and updates are refused with a sentence that "
        "says so, unbinds wait, and no backup is taken.",
    ),
    _run_state(Kind.STOP),
    is_dangerous=True,
)
START = Wish(
    "start",
    "Start",
    "has_restart_permission",
    (
        "The database is started again under the same address, with the same data "
        "and credentials. Unbinds that have waited for it are done then.",
    ),
    _run_state(Kind.START),
)
ROTATE = Wish(
    "rotate-secret",
    "Rotate admin secret",
    "has_rotate_secret_permission",
    (
        "The broker gets another password for its own account in this database; the "
        "former one is of no use any more. Nobody sees either.",
        "Apps notice nothing: their credentials and sessions stay. A binding's "
        "credentials are rotated by the platform, which binds the app anew.",
    ),
    rotate_secret.accept,
)
WISHES = (RESTART, STOP, START, ROTATE)


def urls(model_admin: Any) -> list[Any]:
    view = model_admin.admin_site.admin_view
    return [
        path(
            f"{wish.word}/",
            view(partial(confirm, model_admin, wish)),
            name=wish.url_name,
        )
        for wish in WISHES
    ]


def get_one(request: HttpRequest) -> ServiceInstance:
    """Raise Http404 unless it is exactly one that is meant."""
    chosen = get_chosen(request)
    if len(chosen) != 1:
        raise Http404
    return chosen[0]


def confirm(model_admin: Any, wish: Wish, request: HttpRequest) -> HttpResponse:
    """GET says what will happen; POST records the wish."""
    if not getattr(model_admin, wish.permission)(request):
        raise PermissionDenied
    instance = get_one(request)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _accept(request, instance, wish, form.cleaned_data["reason"])
        return HttpResponseRedirect(way_back([instance]))
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        [instance],
        title=wish.title,
        form=form,
        wish=wish,
    )


def _accept(
    request: HttpRequest, instance: ServiceInstance, wish: Wish, reason: str
) -> None:
    try:
        operation = wish.accept(instance, actor=operator(request), reason=reason)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
    else:
        what = (link(operation, wish.title), link(instance))
        messages.success(request, format_html("{} of {} is recorded.", *what))
