"""Dry run of placement: where would so many service instances of a plan go?"""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from instances import placement, rooms
from instances.admin.base import Section, table
from instances.admin.html import link
from instances.models import DockerHost, ServicePlan

URL_NAME = "instances_dockerhost_placement"
MOST = 1000


class QuestionForm(forms.Form):
    plan = forms.ModelChoiceField(
        ServicePlan.objects.filter(active=True).select_related("offering"),
        error_messages={"required": "Choose a plan."},
    )
    number = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        initial=20,
        label="How many",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"),
            f"Give a number from 1 to {MOST}.",
        ),
    )


def dry_run(request: HttpRequest, model_admin: Any) -> HttpResponse:
    form = QuestionForm(request.GET if "plan" in request.GET else None)
    section = lead = None
    if form.is_bound and form.is_valid():
        plan, number = form.cleaned_data["plan"], form.cleaned_data["number"]
        section, lead = _answer(plan, number)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Where would they go?",
        "opts": DockerHost._meta,
        "form": form,
        "section": section,
        "lead": lead,
    }
    return TemplateResponse(request, "admin/instances/placement.html", context)


def _answer(plan: ServicePlan, number: int) -> tuple[Section, str]:
    before = {room.host.pk: room for room in rooms.survey()}
    placed, after = placement.rehearse(plan, number)
    rows = [
        (
            link(room.host),
            placed[room.host.pk],
            before[room.host.pk].refusal(plan) or before[room.host.pk].merits(plan),
            room.refusal(plan) or room.merits(plan),
        )
        for room in sorted(after, key=lambda room: -placed[room.host.pk])
    ]
    found = table(
        f"{number} of {plan}",
        ("Docker host", "Gets", "Before", "Afterwards"),
        rows,
        empty="There is no Docker host.",
    )
    left = number - placed.total()
    lead = "All of them have room." if not left else f"{left} of them have no room."
    return found, lead
