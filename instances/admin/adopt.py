"""The form that gives a container without a row to a service instance."""

import uuid
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html

from instances import errors
from instances.admin.chosen import operator
from instances.admin.host_findings import ADOPT_URL, get_host, get_stranger, page
from instances.admin.html import change_url, link
from instances.engines import find_configurable
from instances.models import DockerHost, Finding, ServicePlan
from instances.operations import adopt

TEMPLATE = "admin/instances/adopt_confirmation.html"


class AdoptForm(forms.Form):
    guid = forms.CharField(
        max_length=255,
        label="GUID",
        widget=AdminTextInputWidget(),
        help_text="What the platform calls the service instance (cf service NAME "
        "--guid); or that of one here whose container is lost, which gets this one's "
        "data then. Made up, for one that no platform knows.",
    )
    plan = forms.ChoiceField(
        label="Plan",
        help_text="Engine, image and limits are the plan's. A service instance that "
        "is here already keeps its own.",
    )
    name = forms.CharField(
        required=False,
        max_length=50,
        label="Name",
        widget=AdminTextInputWidget(),
        help_text="How the console calls it.",
    )
    organization_guid = forms.CharField(
        required=False,
        max_length=255,
        label="Organization GUID",
        widget=AdminTextInputWidget(),
    )
    space_guid = forms.CharField(
        required=False,
        max_length=255,
        label="Space GUID",
        widget=AdminTextInputWidget(),
    )

    def __init__(self, data: Any, found: Finding) -> None:
        image = str(found.details.get("image", ""))
        rows = ServicePlan.objects.select_related("offering").order_by("pk")
        plans = [row for row in rows if not find_configurable(row.offering.engine)]
        # Those that have its image come first.
        plans.sort(key=lambda row: row.image != image)
        self.plans = {row.pk: row for row in plans}
        super().__init__(data, initial={"guid": str(uuid.uuid4())})
        choices = [(row.pk, f"{row} ({row.image})") for row in plans]
        self.fields["plan"].choices = choices  # type: ignore[attr-defined]

    def wish(self) -> adopt.Wish:
        given = self.cleaned_data
        return adopt.Wish(
            guid=given["guid"],
            plan=self.plans[given["plan"]],
            name=given["name"],
            organization_guid=given["organization_guid"],
            space_guid=given["space_guid"],
        )


def urls(model_admin: Any) -> list[Any]:
    view = model_admin.admin_site.admin_view(partial(confirm, model_admin))
    return [path("<path:object_id>/adopt/", view, name=ADOPT_URL)]


def confirm(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """GET says what it takes; POST records it."""
    host = get_host(request, object_id, model_admin.has_reconcile_permission)
    found = get_stranger(request, host)
    is_post = request.method == "POST"
    form = AdoptForm(request.POST if is_post else None, found)
    if is_post and form.is_valid():
        answer = _accept(request, host, found, form)
        if answer is not None:
            return answer
    return page(
        request, model_admin, host, TEMPLATE, "Adopt container", form=form, found=found
    )


def _accept(
    request: HttpRequest, host: DockerHost, found: Finding, form: AdoptForm
) -> HttpResponse | None:
    try:
        operation = adopt.accept(host, found.name, form.wish(), actor=operator(request))
    except errors.BrokerError as error:
        form.add_error(None, " ".join(dict.fromkeys((str(error), error.detail))))
        return None
    what = (link(operation, "Adopt"), link(operation.instance))
    messages.success(request, format_html("{}: {} is recorded.", *what))
    return HttpResponseRedirect(change_url(operation.instance))
