"""The form that makes a new service instance of a backup, for an operator."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from instances import errors
from instances.admin import backup_display as display
from instances.admin.chosen import confirmation, load, operator, say_refused
from instances.admin.html import change_url, link, mebibytes
from instances.models import Backup, ServiceInstance
from instances.operations import clone

URL_NAME = "instances_backup_clone"
TEMPLATE = "admin/instances/clone_confirmation.html"


class CloneForm(forms.Form):
    """What the new one is; whose it is, is as before unless that is said twice."""

    name = forms.CharField(
        required=False,
        max_length=50,
        label="Name",
        widget=AdminTextInputWidget(),
        help_text="How the console calls it.",
    )
    guid = forms.CharField(
        max_length=255,
        label="GUID",
        widget=AdminTextInputWidget(),
        help_text="Made up here; replace it if a platform has one for it already.",
    )
    plan = forms.ChoiceField(label="Plan")
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
    is_allowed = forms.BooleanField(
        required=False, label="Another organization or space may have this data"
    )

    def __init__(self, data: Any, backup: Backup) -> None:
        former = backup.instance
        super().__init__(
            data,
            initial={
                "name": f"{former.instance_name or 'restored'}-restored"[:50],
                "guid": str(uuid.uuid4()),
                "plan": backup.plan_id,
                "organization_guid": former.organization_guid,
                "space_guid": former.space_guid,
            },
        )
        self._former = former
        self.plans = {plan.pk: plan for plan in clone.plans_for(backup)}
        choices = [(pk, str(plan)) for pk, plan in self.plans.items()]
        self.fields["plan"].choices = choices  # type: ignore[attr-defined]

    def clean_guid(self) -> str:
        guid: str = self.cleaned_data["guid"]
        if ServiceInstance.objects.find_live(guid) is not None:
            raise forms.ValidationError(
                "A service instance has this GUID: give it another one."
            )
        return guid

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        names = ("organization_guid", "space_guid")
        is_same = all(
            cleaned.get(name) == getattr(self._former, name) for name in names
        )
        if not is_same and not cleaned.get("is_allowed"):
            self.add_error(
                "is_allowed", "These are others than the backup's: tick this, too."
            )
        return cleaned


def confirm(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET says what will be made; POST records the wish."""
    if not model_admin.has_clone_permission(request):
        raise PermissionDenied
    backup = model_admin.get_queryset(request).filter(pk=pk).first()
    if backup is None:
        raise Http404
    source = load([backup.instance_id])[0]
    if backup.state != Backup.State.VERIFIED:
        text = "Only a verified backup can be restored."
        say_refused(request, source, errors.InvalidRequest(text))
        return HttpResponseRedirect(change_url(backup))
    form = CloneForm(request.POST or None, backup)
    if form.is_valid():
        response = _accept(request, backup, form)
        if response is not None:
            return response
    return confirmation(
        *(request, model_admin, TEMPLATE, [source]),
        title="New service instance of a backup",
        form=form,
        backup=backup,
        taken_at=display.taken_at(backup),
        size=mebibytes(backup.delta_bytes),
        command=display.command(backup),
        back_url=change_url(backup),
    )


def _accept(
    request: HttpRequest, backup: Backup, form: CloneForm
) -> HttpResponse | None:
    """None, and a sentence on the form, if it is refused."""
    given = form.cleaned_data
    try:
        operation = clone.accept(
            backup,
            guid=given["guid"],
            name=given["name"],
            plan=form.plans[given["plan"]],
            organization_guid=given["organization_guid"],
            space_guid=given["space_guid"],
            actor=operator(request),
        )
    except errors.BrokerError as error:
        form.add_error(None, " ".join(dict.fromkeys((str(error), error.detail))))
        return None
    what = (link(operation, "Provision"), link(operation.instance))
    messages.success(request, format_html("{} of {} is recorded.", *what))
    return HttpResponseRedirect(change_url(operation.instance))
