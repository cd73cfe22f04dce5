"""The filter of lists by how long a row has been there."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

OLDER = {"day": 1, "week": 7, "month": 30, "year": 365}


class AgeFilter(admin.SimpleListFilter):
    title = "age"
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, f"Older than a {name}") for name in OLDER]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        days = OLDER.get(self.value() or "")
        if days is None:
            return queryset
        return queryset.filter(created_at__lt=timezone.now() - timedelta(days=days))
