"""The confirmation that stands before every deprovision from the console."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.html import format_html

from instances import errors
from instances.admin.chosen import (
    confirmation,
    get_chosen,
    operator,
    say_refused,
    way_back,
)
from instances.admin.html import link, list_url
from instances.models import ServiceInstance
from instances.operations import deprovision

TAIL = 6
URL_NAME = "instances_serviceinstance_deprovision"
TEMPLATE = "admin/instances/deprovision_confirmation.html"


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
    if not model_admin.has_operate_permission(request):
        raise PermissionDenied
    chosen = get_chosen(request)
    if request.method == "POST":
        form = ConfirmationForm(request.POST, chosen)
        if form.is_valid():
            for instance in chosen:
                _accept(request, instance)
            return HttpResponseRedirect(way_back(chosen))
    else:
        chosen = _warn_of_gone(request, chosen)
        if not chosen:
            return HttpResponseRedirect(list_url(ServiceInstance))
        form = ConfirmationForm(None, chosen)
    return confirmation(
        request, model_admin, TEMPLATE, chosen, title="Deprovision", form=form
    )


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
    try:
        operation, is_new = deprovision.accept(instance, actor=operator(request))
    except errors.Gone:
        _say_gone(request, instance)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
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
