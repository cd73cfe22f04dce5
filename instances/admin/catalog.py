"""The catalog: offerings and their plans, edited here and read by platforms."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Field
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from instances.admin import behind
from instances.admin.base import Section, count_of, table
from instances.admin.catalog_backups import FIELDSET as BACKUPS
from instances.admin.catalog_editing import PREVIEW_URL, CatalogAdmin
from instances.admin.catalog_forms import ServiceOfferingForm, ServicePlanForm
from instances.admin.catalog_preview import preview
from instances.admin.catalog_settings import SettingsAdmin
from instances.admin.html import (
    as_json,
    as_list,
    badge,
    count_link,
    link,
    list_url,
)
from instances.models import ServiceInstance, ServiceOffering, ServicePlan
from instances.operations.plan_drift import is_behind

METADATA_HELP = (
    "Web interfaces and cf service show this. Empty fields are left out of the catalog."
)


GIVEN = (
    *("image", "memory_mb", "cpus", "pids", "connections"),
    *("disk_mb", "when_disk_full"),
)


class PlanFilter(admin.RelatedFieldListFilter):
    """By plan, whose name needs its offering's: read together, not one by one."""

    def field_choices(
        self, field: Field, request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, Any]]:
        plans = ServicePlan.objects.select_related("offering")
        return [(plan.pk, str(plan)) for plan in plans]


@admin.register(ServiceOffering)
class ServiceOfferingAdmin(CatalogAdmin):
    form = ServiceOfferingForm
    list_display = ["name", "active", "engine", "description", "plan_count"]
    list_filter = ["active", "engine"]
    search_fields = ["id", "name", "description"]
    search_help_text = "Id, name, description"
    empty_text = (
        "The catalog is empty, so platforms are offered nothing. "
        "Add an offering here; manage.py loadcatalog catalog.yml adds several."
    )
    fieldsets = [
        (
            None,
            {"fields": ["id", "name", "description", "engine", "active", "deletion"]},
        ),
        (
            "For the platform",
            {"fields": ["bindable", "plan_updateable", "shareable", "tags"]},
        ),
        (
            "For the marketplace",
            {
                "fields": [
                    "display_name",
                    "long_description",
                    "image_url",
                    "provider_display_name",
                    "documentation_url",
                    "support_url",
                    "metadata",
                ],
                "description": METADATA_HELP,
            },
        ),
    ]
    read_fieldsets = [
        (None, {"fields": ["name", "id", "active", "engine", "description"]}),
        (
            "For the marketplace",
            {"fields": ["bindable", "plan_updateable", "tag_list", "metadata_json"]},
        ),
    ]

    def get_urls(self) -> list[Any]:
        route = path(
            "preview/",
            self.admin_site.admin_view(self.preview_view),
            name=PREVIEW_URL.removeprefix("admin:"),
        )
        return [route, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        return preview(request, self)

    def annotations(self) -> dict[str, Any]:
        return {"plan_number": count_of(ServicePlan.objects.all(), "offering")}

    def links(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        links = super().links(request, object_id)
        if request.user.has_perm("instances.add_serviceplan"):
            links.insert(0, (self._plan_url(object_id), "Add a plan"))
        return links

    def _plan_url(self, offering_id: str) -> str:
        query = urlencode({"offering": unquote(offering_id)})
        return f"{reverse('admin:instances_serviceplan_add')}?{query}"

    def sections(self, request: HttpRequest, row: ServiceOffering) -> list[Section]:
        plans = (
            (
                link(plan, plan.name),
                badge("offered", tone="good") if plan.active else badge("not active"),
                plan.description,
                plan.memory_mb,
                plan.image,
            )
            for plan in row.plans.all()
        )
        return [
            table(
                "Service plans",
                ("Plan", "State", "Description", "Memory (MiB)", "Image"),
                plans,
                empty="Without a plan, the offering is not shown to platforms.",
                all_url=list_url(ServicePlan, offering__id__exact=row.pk),
            )
        ]

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: Any
    ) -> None:
        super().save_model(request, obj, form, change)
        if obj.active and not obj.plans.filter(active=True).exists():
            text = format_html(
                "“{}” is not shown to platforms until it has an active plan: "
                '<a href="{}">add one</a>.',
                obj,
                self._plan_url(obj.pk),
            )
            self.message_user(request, text, messages.WARNING)

    @admin.display(description="plans", ordering="plan_number")
    def plan_count(self, row: Any) -> SafeString:
        return count_link(row.plan_number, ServicePlan, offering__id__exact=row.pk)

    @admin.display(description="tags")
    def tag_list(self, row: ServiceOffering) -> str:
        return as_list(row.tags)

    @admin.display(description="metadata")
    def metadata_json(self, row: ServiceOffering) -> SafeString:
        return as_json(row.metadata)


@admin.register(ServicePlan)
class ServicePlanAdmin(SettingsAdmin, CatalogAdmin):
    form = ServicePlanForm
    list_display = [
        "name",
        "offering_link",
        "active",
        "free",
        "memory_mb",
        "cpus",
        "connections",
        "image",
        "instance_count",
        "behind_count",
    ]
    list_filter = ["active", "offering", "free"]
    search_fields = ["id", "name", "description", "image", "offering__name"]
    search_help_text = "Id, name, description, image, offering"
    list_select_related = ["offering"]
    fixed_fields = ("id", "offering")
    shown_fields = ("instance_count", "behind_count", "deletion")
    empty_text = (
        "There are no plans, so platforms are offered nothing. "
        "Add one here; manage.py loadcatalog catalog.yml adds several."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "offering",
                    "id",
                    "name",
                    "description",
                    "active",
                    "free",
                    "instance_count",
                    "behind_count",
                    "deletion",
                ]
            },
        ),
        (
            "What an instance gets",
            {
                "fields": GIVEN,
                "description": "New containers are made like this. Those that run are "
                "not changed: they keep what they have, and are shown as behind.",
            },
        ),
        (
            "Upgrades",
            {"fields": ["maintenance_version", "maintenance_description"]},
        ),
        (
            "Limits",
            {
                "fields": [
                    "instance_limit",
                    "organization_limit",
                    "standby",
                    "host_labels",
                    "binding_lifetime_days",
                    "maximum_polling_duration",
                ]
            },
        ),
        BACKUPS,
        (
            "For the marketplace",
            {
                "fields": ["display_name", "bullets", "costs", "metadata"],
                "description": METADATA_HELP,
            },
        ),
    ]
    read_fieldsets = [
        (
            None,
            {
                "fields": [
                    "name",
                    "offering_link",
                    "id",
                    "active",
                    "free",
                    "description",
                    "instance_count",
                    "behind_count",
                ]
            },
        ),
        (
            "What an instance gets",
            {"fields": GIVEN},
        ),
        *fieldsets[2:5],
        ("For the marketplace", {"fields": ["metadata_json"]}),
    ]

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            command = f"cf enable-service-access {obj.offering} -p {obj.name}"
            text = f"Nobody may use a new plan before: {command}"
            self.message_user(request, text, messages.WARNING)

    def annotations(self) -> dict[str, Any]:
        every = ServiceInstance.objects.all()
        live = every.exclude(state=ServiceInstance.State.GONE)
        return {
            "instance_number": count_of(live, "plan"),
            "behind_number": count_of(every.filter(is_behind()), "plan"),
        }

    @admin.display(description="offering", ordering="offering__name")
    def offering_link(self, row: ServicePlan) -> SafeString:
        return link(row.offering)

    @admin.display(description="service instances", ordering="instance_number")
    def instance_count(self, row: Any) -> SafeString:
        return count_link(row.instance_number, ServiceInstance, plan__id__exact=row.pk)

    @admin.display(description="behind the plan", ordering="behind_number")
    def behind_count(self, row: Any) -> SafeString:
        return behind.count(row.behind_number, row.pk)

    @admin.display(description="metadata")
    def metadata_json(self, row: ServicePlan) -> SafeString:
        return as_json(row.metadata)
