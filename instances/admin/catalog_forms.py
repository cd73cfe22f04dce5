"""Forms for offerings and plans: each field says what it is for and where it shows.

The conventional keys of metadata are fields of their own; all others are kept.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import RegexValidator

from instances.admin import catalog_backups
from instances.admin.catalog_fields import (
    CostsField,
    LinesField,
    ObjectField,
    ParagraphField,
    wide,
)
from instances.admin.catalog_settings import SettingsForm
from instances.engines import ENGINES
from instances.models import ServiceOffering, ServicePlan

ID_HELP = (
    "Generated. Platforms remember it for ever and it cannot be changed afterwards: "
    "replace it only to take over what another broker has offered."
)
NAME_HELP = "What app developers type: letters, digits, dots and dashes are best."
MORE_HELP = "Anything else for the marketplace, as a JSON object."
_URL_ERROR = {"invalid": "Give a whole address, such as https://example.com/help."}


class CatalogForm(forms.ModelForm):
    """Metadata is taken apart for editing and put together again."""

    keys: ClassVar[dict[str, str]] = {}
    """{field of the form: key in metadata}"""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.metadata
        if not isinstance(stored, dict):
            return
        own = {
            name: stored[key]
            for name, key in self.keys.items()
            if name in self.fields
            and key in stored
            and _fits(self.fields[name], stored[key])
        }
        self._own_keys = {self.keys[name] for name in own}
        rest = {k: v for k, v in stored.items() if k not in self._own_keys}
        self.initial = {**own, **self.initial, "metadata": rest}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        rest = cleaned.get("metadata")
        if rest is None:
            return cleaned
        own = self._own_metadata(cleaned)
        doubled = sorted(set(rest) & set(own))
        if doubled:
            names = ", ".join(doubled)
            text = f"Remove {names} here: there is a field of its own."
            self.add_error("metadata", text)
        cleaned["metadata"] = {**rest, **own}
        return cleaned

    def _own_metadata(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What was not edited stays to the letter."""
        own = {}
        stored = self.instance.metadata
        for name, key in self.keys.items():
            if name not in self.changed_data and key in getattr(self, "_own_keys", ()):
                own[key] = stored[key]
            elif cleaned.get(name):
                own[key] = cleaned[name]
        return own

    def _update_errors(self, errors: ValidationError) -> None:
        """A rule may speak of a field that is only shown: say it above the form."""
        found: dict[str, list[Any]] = {}
        for name, sentences in errors.error_dict.items():
            place = name if name in self.fields else NON_FIELD_ERRORS
            found.setdefault(place, []).extend(sentences)
        super()._update_errors(ValidationError(found))  # type: ignore[misc]


def _fits(field: forms.Field, value: Any) -> bool:
    """Whether the field can show the value without loss."""
    if isinstance(field, CostsField):
        return True
    if isinstance(field, LinesField):
        return isinstance(value, list) and all(_is_line(item) for item in value)
    return isinstance(value, bool if isinstance(field, forms.BooleanField) else str)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and value.strip().splitlines() == [value]


class ServiceOfferingForm(CatalogForm):
    keys = {
        "display_name": "displayName",
        "long_description": "longDescription",
        "image_url": "imageUrl",
        "provider_display_name": "providerDisplayName",
        "documentation_url": "documentationUrl",
        "support_url": "supportUrl",
        "shareable": "shareable",
    }
    engine = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(ENGINES)],
        help_text="Which kind of database its containers run. generic runs any image "
        "that a plan describes; all bindings of an instance share their credentials.",
    )
    tags = LinesField(
        required=False,
        help_text="One on each line. Apps and buildpacks find a service by them, so "
        "name what it speaks: mysql, postgresql, redis.",
    )
    display_name = forms.CharField(
        required=False,
        widget=AdminTextInputWidget(),
        help_text="The name in web interfaces, such as MariaDB.",
    )
    long_description = ParagraphField(
        required=False, help_text="A paragraph or two for web interfaces."
    )
    image_url = forms.CharField(
        required=False,
        widget=wide(),
        validators=[
            RegexValidator(
                r"^(https?://\S+|data:image/\S+)$",
                "Give the address of a picture, such as https://example.com/logo.svg.",
            )
        ],
        label="Image URL",
        help_text="The logo: an https address, or a small picture as a data: URL.",
    )
    provider_display_name = forms.CharField(
        required=False,
        widget=AdminTextInputWidget(),
        label="Provider",
        help_text="Who runs it: the team or company that developers may know.",
    )
    documentation_url = forms.URLField(
        required=False,
        widget=wide(),
        assume_scheme="https",
        label="Documentation URL",
        help_text="cf service shows it.",
        error_messages=_URL_ERROR,
    )
    support_url = forms.URLField(
        required=False,
        widget=wide(),
        assume_scheme="https",
        label="Support URL",
        error_messages=_URL_ERROR,
    )
    shareable = forms.BooleanField(
        required=False,
        help_text="Whether developers may share an instance with other spaces.",
    )
    metadata = ObjectField(required=False, label="More metadata", help_text=MORE_HELP)

    class Meta:
        model = ServiceOffering
        fields = [
            "id",
            "name",
            "description",
            "engine",
            "active",
            "bindable",
            "plan_updateable",
            "tags",
            "metadata",
        ]
        widgets = {"id": wide(), "description": wide()}
        help_texts = {
            "id": ID_HELP,
            "name": f"{NAME_HELP} Offerings of all brokers meet in one marketplace.",
            "description": "One line in cf marketplace.",
            "active": "Whether platforms are offered it. Its service instances stay, "
            "with their bindings, whatever is said here.",
            "bindable": "Whether apps can be bound to its instances.",
        }


class ServicePlanForm(SettingsForm, CatalogForm):
    keys = {"display_name": "displayName", "bullets": "bullets", "costs": "costs"}
    offering = forms.ModelChoiceField(
        ServiceOffering.objects.all(),
        help_text="It cannot be changed afterwards: platforms remember the plan there.",
    )
    display_name = forms.CharField(
        required=False,
        widget=AdminTextInputWidget(),
        help_text="The name in web interfaces, such as Small.",
    )
    bullets = LinesField(
        required=False,
        help_text="What one gets, one on each line: web interfaces list them.",
    )
    costs = CostsField(
        required=False,
        help_text="One on each line, such as 9.50 usd / MONTHLY, or with several "
        "currencies 9.50 usd, 8.90 eur / MONTHLY. cf marketplace -e shows them.",
    )
    metadata = ObjectField(required=False, label="More metadata", help_text=MORE_HELP)

    class Meta:
        model = ServicePlan
        fields = [
            "id",
            "offering",
            "name",
            "description",
            "free",
            "active",
            "image",
            "memory_mb",
            "cpus",
            "pids",
            "connections",
            "disk_mb",
            "when_disk_full",
            "maintenance_version",
            "maintenance_description",
            "instance_limit",
            "organization_limit",
            "standby",
            "host_labels",
            "binding_lifetime_days",
            "maximum_polling_duration",
            *catalog_backups.FIELDS,
            "metadata",
        ]
        widgets = {
            "id": wide(),
            "description": wide(),
            "image": wide(),
            "maintenance_description": wide(),
        }
        labels = {"cpus": "CPUs"}
        help_texts = {
            "id": ID_HELP,
            "name": NAME_HELP,
            "description": "One line in cf marketplace -e.",
            "free": "Without it, cf shows the plan as paid.",
            "active": "Whether platforms are offered it. Its service instances stay, "
            "with their bindings, whatever is said here.",
            "image": "The Docker image of new containers; the hosts must have it or "
            "be able to pull it.",
            "memory_mb": "A container that uses more is ended by Docker.",
            "cpus": "Such as 0.5 for half of one.",
            "pids": "At most so many processes and threads in the container.",
            "connections": "At most so many at once for each bound app.",
            "disk_mb": "What a database may write to its container, its own files "
            "included; empty: no limit. From 80 % on the console warns.",
            "when_disk_full": "At 100 %. A larger plan ends it, or an operator for an "
            "hour. What grows by another 20 % although it is read-only is stopped.",
            "maintenance_version": "SemVer 2.0, such as 1.0.0. Raise it when the image "
            "has changed, and refresh the platforms at once: with the old version, "
            "cf create-service fails. Instances with another version are shown as "
            "behind until they are upgraded, by cf upgrade-service or here.",
            **catalog_backups.HELP_TEXTS,
        }
