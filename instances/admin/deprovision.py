"""The confirmation that stands before every deprovision from the console."""

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from instances import errors
from instances.admin.base import secret_columns
from instances.admin.html import change_url, link, list_url
from instances.models import Actor, ServiceBinding, ServiceInstance
from instances.operations import deprovision

MOST = 20
"""Service instances at once: a slip must not end a whole installation."""
TAIL = 6
URL_NAME = "instances_serviceinstance_deprovision"
TEMPLATE = "admin/instances/deprovision_confirmation.html"


def confirmation_url(ids: Iterable[uuid.UUID]) -> str:
    query = urlencode({"id": [str(pk) for pk in ids]}, doseq=True)
    return f"{reverse(f'admin:{URL_NAME}')}?{query}"


class ConfirmationForm(forms.Form):
    """What has to be typed: a guid's end, or how many instances are meant."""

    confirmation = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def __init__(self, data: QueryDict | None, chosen: list[ServiceInstance]) -> None:
        super().__init__(data)
        if len(chosen) == 1:
            self._expected = chosen[0].guid[-TAIL:].strip()
            self._asked = f"the last {TAIL} characters of its GUID"
        else:
            self._expected = str(len(chosen))
            self._asked = "how many service instances this will remove"
        self.fields["confirmation"].label = f"Type {self._asked}"

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._expected:
            raise forms.ValidationError(f"This is not {self._asked}. Look again.")
        return typed


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET shows what would be removed; POST with the right words records the wish."""
    if not model_admin.has_deprovision_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        chosen = _chosen(request.POST)
        form = ConfirmationForm(request.POST, chosen)
        if form.is_valid():
            for instance in chosen:
                _accept(request, instance)
            return HttpResponseRedirect(_way_back(chosen))
    else:
        chosen = _warn_of_gone(request, _chosen(request.GET))
        if not chosen:
            return HttpResponseRedirect(list_url(ServiceInstance))
        form = ConfirmationForm(None, chosen)
    context = {
        **admin.site.each_context(request),
        "title": "Deprovision",
        "opts": model_admin.opts,
        "form": form,
        "chosen": chosen,
        "back_url": _way_back(chosen),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _chosen(source: QueryDict) -> list[ServiceInstance]:
    """Raise Http404 if the ids are not those of a few service instances."""
    try:
        ids = {uuid.UUID(text) for text in source.getlist("id")[: MOST + 1]}
    except ValueError:
        raise Http404 from None
    related = ("plan__offering", "container__host", "container__lease")
    bindings = ServiceBinding.objects.exclude(state=ServiceBinding.State.GONE)
    rows = (
        ServiceInstance.objects.filter(pk__in=ids)
        .select_related(*related)
        .defer(*secret_columns(ServiceInstance, related))
        .prefetch_related(
            Prefetch(
                "bindings",
                bindings.defer(*secret_columns(ServiceBinding)),
                to_attr="bound",
            )
        )
    )
    chosen: list[ServiceInstance] = list(rows)
    if len(chosen) != len(ids) or not 0 < len(ids) <= MOST:
        raise Http404
    return chosen


def _warn_of_gone(
    request: HttpRequest, chosen: list[ServiceInstance]
) -> list[ServiceInstance]:
    """Leave out, with a word, what is gone already."""
    gone = ServiceInstance.State.GONE
    for instance in chosen:
        if instance.state == gone:
            _say_gone(request, instance)
    return [instance for instance in chosen if instance.state != gone]


def _accept(request: HttpRequest, instance: ServiceInstance) -> None:
    actor = Actor(kind="operator", name=request.user.get_username())
    try:
        operation, is_new = deprovision.accept(instance, actor=actor)
    except errors.Gone:
        _say_gone(request, instance)
    except errors.BrokerError as error:
        text = format_html("{}: {} {}", link(instance), error, error.detail)
        messages.error(request, text)
    else:
        what = (link(operation, "Deprovision"), link(instance))
        if is_new:
            messages.success(request, format_html("{} of {} is recorded.", *what))
        else:
            text = format_html("{} of {} is already under way.", *what)
            messages.warning(request, text)


def _say_gone(request: HttpRequest, instance: ServiceInstance) -> None:
    text = "{} is gone already: there is nothing left to remove."
    messages.warning(request, format_html(text, link(instance)))


def _way_back(chosen: list[ServiceInstance]) -> str:
    return change_url(chosen[0]) if len(chosen) == 1 else list_url(ServiceInstance)
