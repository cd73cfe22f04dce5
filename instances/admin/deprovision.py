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
from instances.admin.typed import TypedForm
from instances.models import ServiceInstance
from instances.operations import back_up, deprovision

URL_NAME = "instances_serviceinstance_deprovision"
TEMPLATE = "admin/instances/deprovision_confirmation.html"


class DeprovisionForm(TypedForm):
    """Words to type, and a last backup if a plan keeps one."""

    with_backup = forms.BooleanField(required=False, initial=True)

    def __init__(self, data: QueryDict | None, chosen: list[ServiceInstance]) -> None:
        super().__init__(data, chosen, of_many="service instances this will remove")
        days = {
            instance.plan.final_backup_days for instance in chosen if _keeps(instance)
        }
        if not days:
            del self.fields["with_backup"]
            return
        kept = f"{min(days)} days" if len(days) == 1 else "as long as its plan says"
        what = "a final backup" if len(chosen) == 1 else "a final backup of each"
        self.fields["with_backup"].label = f"Take {what}, kept {kept}"


def _keeps(instance: ServiceInstance) -> bool:
    """Whether its plan keeps a final backup."""
    return instance.plan.final_backup_days > 0 and back_up.is_possible(instance)


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET shows what would be removed; POST with the right words records the wish."""
    if not model_admin.has_deprovision_permission(request):
        raise PermissionDenied
    chosen = get_chosen(request)
    if request.method == "POST":
        form = DeprovisionForm(request.POST, chosen)
        if form.is_valid():
            with_backup = form.cleaned_data.get("with_backup", True)
            for instance in chosen:
                _accept(request, instance, with_backup=with_backup)
            return HttpResponseRedirect(way_back(chosen))
    else:
        chosen = _warn_of_gone(request, chosen)
        if not chosen:
            return HttpResponseRedirect(list_url(ServiceInstance))
        form = DeprovisionForm(None, chosen)
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


def _accept(
    request: HttpRequest, instance: ServiceInstance, *, with_backup: bool
) -> None:
    try:
        operation, is_new = deprovision.accept(
            instance, actor=operator(request), with_backup=with_backup
        )
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
