"""Filters of the list of backups that no column gives by itself."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from instances.models import Backup, ServiceInstance

UNPROVED = (Backup.State.TAKING, Backup.State.COMMITTED)


class ProofFilter(admin.SimpleListFilter):
    title = "proof"
    parameter_name = "proof"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Unproved as yet"), ("again", "Tried more than once")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == "no":
            return queryset.filter(state__in=UNPROVED)
        if self.value() == "again":
            return queryset.filter(proofs__gt=1)
        return queryset


class WhoseFilter(admin.SimpleListFilter):
    """How a deleted database is found again."""

    title = "service instance"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("there", "Is there"), ("gone", "Deleted, and can be restored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        gone = ServiceInstance.State.GONE
        if self.value() == "there":
            return queryset.exclude(instance__state=gone)
        if self.value() == "gone":
            return queryset.filter(instance__state=gone, state=Backup.State.VERIFIED)
        return queryset
