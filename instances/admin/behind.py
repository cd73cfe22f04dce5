"""Which service instances run with something else than their plan says by now."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import as_lines, badge, count_link
from instances.models import ServiceInstance
from instances.operations.plan_drift import differences, is_behind

PARAMETER = "plan_state"
BEHIND = "behind"


class BehindFilter(admin.SimpleListFilter):
    title = "plan state"
    parameter_name = PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(BEHIND, "Behind its plan"), ("current", "As its plan says")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == BEHIND:
            return queryset.filter(is_behind())
        if self.value() == "current":
            ready = queryset.filter(state=ServiceInstance.State.READY)
            return ready.exclude(pk__in=queryset.filter(is_behind()).values("pk"))
        return queryset


def annotation() -> ExpressionWrapper:
    return ExpressionWrapper(is_behind(), output_field=BooleanField())


def mark(row: Any) -> SafeString:
    """A badge that tells what differs, or nothing."""
    if not row.is_behind:
        return SafeString("")
    return format_html(
        '<br><span title="{}">{}</span>',
        "; ".join(_sentences(row)),
        badge("behind its plan", tone="wait"),
    )


def explanation(row: ServiceInstance) -> SafeString:
    return as_lines(_sentences(row))


def _sentences(row: ServiceInstance) -> list[str]:
    return [
        f"{label}: has {has}, the plan says {says}"
        for label, has, says in differences(row)
    ]


def count(number: int, plan_id: str) -> SafeString:
    """The number of a plan's instances that are behind, as a link to them."""
    filters = {"plan__id__exact": plan_id, PARAMETER: BEHIND}
    return count_link(number, ServiceInstance, **filters)
