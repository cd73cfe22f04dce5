"""Filters of the list of service instances that no column gives by itself."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from instances.models import Container, ServiceOffering
from instances.models.disk import HELD, DiskState


class EngineFilter(admin.SimpleListFilter):
    title = "engine"
    parameter_name = "engine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = ServiceOffering.objects.order_by("engine").values_list("engine")
        return [(engine, engine) for (engine,) in rows.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(plan__offering__engine=self.value())


class HeldFilter(admin.SimpleListFilter):
    """What keeps a database from doing what its apps ask."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("near", "Near its disk limit, or at it"),
            ("full", "At its disk limit"),
            ("stopped", "Stopped by an operator"),
            ("unreachable", "On a Docker host that is not reached"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == "near":
            states = (DiskState.WARNING, *HELD)
            return queryset.filter(container__disk_state__in=states)
        if self.value() == "full":
            return queryset.filter(container__disk_state__in=HELD)
        if self.value() == "stopped":
            return queryset.filter(container__stopped_at__isnull=False)
        if self.value() == "unreachable":
            silent = ~Q(container__host__problem="")
            other = ~Q(container__host__other_engine_id="")
            there = queryset.filter(container__isnull=False).filter(silent | other)
            return there.exclude(container__state=Container.State.GONE)
        return queryset
