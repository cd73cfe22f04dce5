"""The settings of a plan whose engine has to be told how its image is started.

Each is a field of its own. A plan of any other offering has none of them.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin.catalog_fields import (
    ArgumentsField,
    ObjectField,
    VariablesField,
    box,
)
from instances.admin.html import as_json
from instances.admin.sharing import NOTICE
from instances.engines import ENGINES, find_configurable
from instances.engines.generic import DEFAULTS
from instances.engines.templates import KNOWN
from instances.models import ServiceOffering, ServicePlan

TITLE = "How the image is started (engine generic)"
DESCRIPTION = (
    "The image runs without any capability and cannot become root: it must work as "
    "the user that it names. How many connections it takes is its own matter. "
    f"{NOTICE} In command, environment and credentials, these are replaced: {KNOWN}; "
    "a dollar sign is $$. All but host and port are generated for each instance."
)
VISIBLE = (
    "What stands here is shown by docker inspect, and backups carry it: prefer "
    "${password_sha256} where the image takes a hash."
)
EXAMPLE = '{"uri": "http://${username}:${password}@${host}:${port}/"}'


class SettingsForm(forms.ModelForm):
    """Reads the settings from the plan's row, and writes them there."""

    port = forms.IntegerField(
        required=False,
        help_text="Required. Where the server listens inside the container.",
    )
    command = ArgumentsField(
        required=False,
        help_text="Arguments for the image's entry point, one on each line, or as a "
        f"JSON list. Empty: the image's own. {VISIBLE}",
    )
    environment = VariablesField(
        required=False,
        help_text="Variables such as PASSWORD=${password}, one on each line, or as a "
        f"JSON object. {VISIBLE}",
    )
    readiness = forms.ChoiceField(
        required=False,
        choices=[
            ("tcp", "TCP: a connection stays open"),
            ("http", "HTTP: a GET is answered with the status"),
        ],
        help_text="When a container counts as started. Prefer HTTP where it can: "
        "that a connection stays open says less, and takes half a second.",
    )
    readiness_path = forms.CharField(
        required=False, widget=AdminTextInputWidget(), help_text="For HTTP only."
    )
    readiness_status = forms.IntegerField(
        required=False,
        help_text="For HTTP only. Redirects are not followed.",
    )
    credentials = ObjectField(
        required=False,
        widget=box(6, is_code=True),
        help_text="Required. What apps are given, the same for every binding: a JSON "
        f"object such as {EXAMPLE}. A text that is ${{port}} alone becomes a number.",
    )
    data_path = forms.CharField(
        required=False,
        widget=AdminTextInputWidget(),
        help_text="Where the server keeps its data in the container, such as /data. "
        "Empty: it keeps nothing.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.settings
        self._stored = stored if isinstance(stored, dict) else {}
        self.initial = {**DEFAULTS, **self._stored, **self.initial}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        offering = cleaned.get("offering") or getattr(self.instance, "offering", None)
        if offering is None:
            return cleaned
        engine = find_configurable(offering.engine)
        if engine is None:
            self._refuse_any(cleaned, offering)
            self.instance.settings = {}
            return cleaned
        self.instance.settings = self._settings(cleaned)
        for name, sentence in engine.mistakes(self.instance.settings):
            if name not in self.errors:
                self.add_error(name if name in self.fields else None, sentence)
        return cleaned

    def _settings(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What was not edited stays to the letter; defaults are not written down."""
        found = {}
        for name in DEFAULTS:
            if name not in self.changed_data and name in self._stored:
                found[name] = self._stored[name]
            elif name in self.changed_data and cleaned.get(name):
                found[name] = cleaned[name]
        return found

    def _refuse_any(self, cleaned: dict[str, Any], offering: ServiceOffering) -> None:
        for name, default in DEFAULTS.items():
            if cleaned.get(name) and cleaned[name] != default:
                text = f"Remove it: {offering} has engine {offering.engine}."
                self.add_error(name, text)


class SettingsAdmin(admin.ModelAdmin):
    """For a CatalogAdmin of plans: the fields are shown where they mean something."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets: list[Any] = list(super().get_fieldsets(request, obj))
        if _takes_settings(request, obj):
            is_editor = self.has_change_permission(request, obj)
            options: dict[str, Any] = {
                "fields": list(DEFAULTS) if is_editor else ["settings_json"],
                "description": DESCRIPTION,
            }
            if obj is None and "offering" not in request.GET:
                options["classes"] = ["collapse"]
            fieldsets.insert(2, (TITLE, options))
        return fieldsets

    @admin.display(description="settings")
    def settings_json(self, row: ServicePlan) -> SafeString:
        return as_json(row.settings)


def _takes_settings(request: HttpRequest, plan: ServicePlan | None) -> bool:
    if plan is not None:
        return find_configurable(plan.offering.engine) is not None
    names = [name for name in ENGINES if find_configurable(name)]
    offerings = ServiceOffering.objects.filter(engine__in=names)
    came_for = request.GET.get("offering")
    if came_for:
        chosen = request.POST.get("offering", came_for)
        offerings = offerings.filter(pk__in=[came_for, chosen])
    return offerings.exists()
