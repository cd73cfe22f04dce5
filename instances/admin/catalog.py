"""The catalog: offerings and their plans."""

from typing import Any

from django.contrib import admin
from django.db.models import Field
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin, Section, count_of, table
from instances.admin.html import as_json, as_list, count_link, link, list_url
from instances.models import ServiceInstance, ServiceOffering, ServicePlan


class PlanFilter(admin.RelatedFieldListFilter):
    """By plan, whose name needs its offering's: read together, not one by one."""

    def field_choices(
        self, field: Field, request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, Any]]:
        plans = ServicePlan.objects.select_related("offering")
        return [(plan.pk, str(plan)) for plan in plans]


@admin.register(ServiceOffering)
class ServiceOfferingAdmin(ReadOnlyAdmin):
    list_display = ["name", "active", "engine", "description", "plan_count"]
    list_filter = ["active", "engine"]
    search_fields = ["id", "name", "description"]
    search_help_text = "Id, name, description"
    empty_text = (
        "The catalog is empty, so platforms are offered nothing. "
        "manage.py loadcatalog catalog.yml fills it."
    )
    fieldsets = [
        (None, {"fields": ["name", "id", "active", "engine", "description"]}),
        ("For the marketplace", {"fields": ["bindable", "tag_list", "metadata_json"]}),
    ]

    def annotations(self) -> dict[str, Any]:
        return {"plan_number": count_of(ServicePlan.objects.all(), "offering")}

    def sections(self, request: HttpRequest, row: ServiceOffering) -> list[Section]:
        plans = (
            (link(plan, plan.name), plan.description, plan.memory_mb, plan.image)
            for plan in row.plans.all()
        )
        return [
            table(
                "Service plans",
                ("Plan", "Description", "Memory (MiB)", "Image"),
                plans,
                empty="Without a plan, the offering is not shown to platforms.",
                all_url=list_url(ServicePlan, offering__id__exact=row.pk),
            )
        ]

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
class ServicePlanAdmin(ReadOnlyAdmin):
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
    ]
    list_filter = ["active", "offering", "free"]
    search_fields = ["id", "name", "description", "image", "offering__name"]
    search_help_text = "Id, name, description, image, offering"
    list_select_related = ["offering"]
    empty_text = (
        "There are no plans, so platforms are offered nothing. "
        "manage.py loadcatalog catalog.yml adds them."
    )
    fieldsets = [
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
                ]
            },
        ),
        (
            "What an instance gets",
            {"fields": ["image", "memory_mb", "cpus", "pids", "connections"]},
        ),
        (
            "For the platform",
            {"fields": ["maximum_polling_duration", "metadata_json"]},
        ),
    ]

    def annotations(self) -> dict[str, Any]:
        live = ServiceInstance.objects.exclude(state=ServiceInstance.State.GONE)
        return {"instance_number": count_of(live, "plan")}

    @admin.display(description="offering", ordering="offering__name")
    def offering_link(self, row: ServicePlan) -> SafeString:
        return link(row.offering)

    @admin.display(description="service instances", ordering="instance_number")
    def instance_count(self, row: Any) -> SafeString:
        return count_link(row.instance_number, ServiceInstance, plan__id__exact=row.pk)

    @admin.display(description="metadata")
    def metadata_json(self, row: ServicePlan) -> SafeString:
        return as_json(row.metadata)
