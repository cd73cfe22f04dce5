"""What an operator says about one instance's backups, over its plan."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from instances.admin import backup_display as display
from instances.admin.chosen import confirmation, load, operator
from instances.admin.html import link
from instances.admin.instance_tabs import tab_url
from instances.models import Backup, BackupOverride, ServiceInstance
from instances.models.backup_override import (
    Limits,
    Retention,
    plan_clock,
    plan_limits,
)
from instances.operations import back_up, backup_overrides, retention

URL_NAME = "instances_serviceinstance_backup_policy"
TEMPLATE = "admin/instances/backup_policy.html"
TITLE = "Backups by the clock, and how long they are kept"


class OverrideForm(forms.ModelForm):
    """With a tick for what would go at once."""

    is_agreed = forms.BooleanField(required=False, label="Let these go")

    class Meta:
        model = BackupOverride
        fields = [
            *("schedule", "interval_h", "cron"),
            *("retention", "keep", "keep_days", "keep_gib"),
        ]
        widgets = {
            "schedule": forms.RadioSelect,
            "retention": forms.RadioSelect,
            "cron": forms.TextInput(attrs={"class": "vTextField"}),
        }
        help_texts = {
            "interval_h": "Such as 24, counted from the last one.",
            "cron": "Instead of the hours: minute, hour, day of the month, month, day "
            "of the week, in UTC. 30 2 * * * is 02:30 each night.",
            "keep": "At most so many verified ones; empty: no limit.",
            "keep_days": "Older ones go; empty: no limit.",
            "keep_gib": "The oldest go when those of this instance take more; "
            "empty: no limit.",
        }

    def limits(self) -> Limits:
        """Those that would hold."""
        given = self.cleaned_data
        if given["retention"] == Retention.OWN:
            return Limits(given["keep"], given["keep_days"], given["keep_gib"])
        return plan_limits(self.instance.instance.plan)


def edit(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET shows what holds; POST stores it, once it is agreed what goes by it."""
    if not model_admin.has_backup_policy_permission(request):
        raise PermissionDenied
    instance = next(iter(load([pk])), None)
    if instance is None or instance.state == ServiceInstance.State.GONE:
        raise Http404
    if not back_up.is_possible(instance):
        raise Http404
    # Before the row: it is what the instance says from then on.
    already = {backup.pk for backup in retention.expired(instance)}
    row = BackupOverride.objects.filter(instance=instance).first()
    row = row or BackupOverride(instance=instance)
    row.instance = instance
    form = OverrideForm(request.POST or None, instance=row)
    going: list[Backup] = []
    if form.is_valid():
        wanted = retention.expired(instance, limits=form.limits())
        going = [backup for backup in wanted if backup.pk not in already]
        if not going or form.cleaned_data["is_agreed"]:
            return _store(request, form)
    return confirmation(
        *(request, model_admin, TEMPLATE, [instance]),
        title=TITLE,
        form=form,
        going=display.moments(going),
        plan_limits=plan_limits(instance.plan),
        plan_clock=plan_clock(instance.plan),
    )


def _store(request: HttpRequest, form: OverrideForm) -> HttpResponse:
    instance = form.instance.instance
    if backup_overrides.store(form.instance, actor=operator(request)):
        text = format_html("What is said of backups of {} is stored.", link(instance))
        messages.success(request, text)
    return HttpResponseRedirect(tab_url(instance, "backups"))
