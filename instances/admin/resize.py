"""Resize: another plan of the offering for one database, its effects in numbers."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.html import format_html

from instances import errors
from instances.admin.chosen import confirmation, operator, say_refused, way_back
from instances.admin.html import link
from instances.admin.wish import get_one
from instances.models import ServiceInstance, ServicePlan
from instances.operations import update

URL_NAME = "instances_serviceinstance_resize"
TEMPLATE = "admin/instances/resize_confirmation.html"
SHOWN = ("memory_mb", "cpus", "pids", "disk_mb", "connections")
HEADERS = ("Memory (MiB)", "CPUs", "Processes", "Disk (MiB)", "Connections")


@dataclass(frozen=True)
class Choice:
    plan: ServicePlan
    cells: list[str]
    effect: str


class ResizeForm(forms.Form):
    def __init__(self, data: QueryDict | None, choices: list[Choice]) -> None:
        super().__init__(data)
        plans = [(choice.plan.pk, str(choice.plan)) for choice in choices]
        self.fields["plan"] = forms.ChoiceField(label="Plan", choices=plans)


def confirm(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """GET shows the plans beside what there is; POST records the wish for one."""
    if not model_admin.has_resize_permission(request):
        raise PermissionDenied
    instance = get_one(request)
    choices = _choices(instance)
    if not choices:
        text = "{} can have no other plan: its offering has none that is active."
        messages.warning(request, format_html(text, link(instance)))
        return HttpResponseRedirect(way_back([instance]))
    form = ResizeForm(request.POST if request.method == "POST" else None, choices)
    if form.is_valid():
        _accept(request, instance, form.cleaned_data["plan"])
        return HttpResponseRedirect(way_back([instance]))
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        [instance],
        title="Resize",
        form=form,
        choices=choices,
        headers=HEADERS,
        now=_now(instance),
    )


def _choices(instance: ServiceInstance) -> list[Choice]:
    plans = instance.plan.offering.plans.filter(active=True).order_by("memory_mb")
    return [
        Choice(plan, _cells(plan), _effect(instance, plan))
        for plan in plans.exclude(pk=instance.plan_id).select_related("offering")
    ]


def _cells(row: Any) -> list[str]:
    values = (getattr(row, name, None) for name in SHOWN)
    return ["no limit" if value is None else str(value) for value in values]


def _now(instance: ServiceInstance) -> list[str]:
    """As the container was made; how many connections is the plan's word alone."""
    cells = _cells(instance.container or instance.plan)
    return [*cells[:-1], str(instance.plan.connections)]


def _effect(instance: ServiceInstance, plan: ServicePlan) -> str:
    container = instance.container
    if container is not None and container.image != plan.image:
        return "down while its data is copied into a container of another image"
    less = container is not None and plan.memory_mb < container.memory_mb
    if less:
        return "runs on, unless it uses more memory than it would have"
    return "runs on"


def _accept(request: HttpRequest, instance: ServiceInstance, plan_id: str) -> None:
    try:
        _, operation = update.accept(
            guid=instance.guid,
            offering_id=instance.plan.offering_id,
            plan_id=plan_id,
            wanted={},
            context={},
            maintenance_version="",
            actor=operator(request),
        )
    except errors.BrokerError as error:
        say_refused(request, instance, error)
    else:
        what = (link(operation, "Resize"), link(instance))
        messages.success(request, format_html("{} of {} is recorded.", *what))
