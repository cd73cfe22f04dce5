"""The confirmation that stands before an upgrade from the console.

An upgrade makes an instance what its plan says by now: image, limits, version.
"""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
from instances.models import ServiceInstance
from instances.operations import update
from instances.operations.plan_drift import differences

URL_NAME = "instances_serviceinstance_upgrade"
TEMPLATE = "admin/instances/upgrade_confirmation.html"


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET shows what would change; POST records the wish."""
    if not model_admin.has_upgrade_permission(request):
        raise PermissionDenied
    chosen = get_chosen(request)
    behind = _those_behind(request, chosen)
    if request.method == "POST":
        for instance in behind:
            _accept(request, instance)
    if request.method == "POST" or not behind:
        return HttpResponseRedirect(way_back(chosen))
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        behind,
        title="Upgrade",
        copied=sum(_is_copied(instance) for instance in behind),
    )


def _those_behind(
    request: HttpRequest, chosen: list[ServiceInstance]
) -> list[ServiceInstance]:
    """Those with something to change, as .changes; a word about the others."""
    behind = []
    for instance in chosen:
        instance.changes = differences(instance)  # type: ignore[attr-defined]
        instance.is_copied = _is_copied(instance)  # type: ignore[attr-defined]
        if instance.changes:  # type: ignore[attr-defined]
            behind.append(instance)
        else:
            text = "{} is not behind its plan: there is nothing to upgrade."
            messages.warning(request, format_html(text, link(instance)))
    return behind


def _is_copied(instance: ServiceInstance) -> bool:
    """Whether the data moves into a container of another image."""
    container = instance.container
    return container is not None and container.image != instance.plan.image


def _accept(request: HttpRequest, instance: ServiceInstance) -> None:
    try:
        _, operation = update.accept(
            guid=instance.guid,
            offering_id=instance.plan.offering_id,
            plan_id="",
            wanted={},
            context={},
            maintenance_version="",
            actor=operator(request),
            as_planned=True,
        )
    except errors.BrokerError as error:
        say_refused(request, instance, error)
    else:
        what = (link(operation, "Upgrade"), link(instance))
        messages.success(request, format_html("{} of {} is recorded.", *what))
