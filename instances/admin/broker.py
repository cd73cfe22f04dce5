"""The broker itself: what holds for all plans together."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import orphans
from instances.admin.base import ConsoleAdmin, Section, save_edited
from instances.admin.html import count_link
from instances.models import Broker, ServiceInstance


class BrokerForm(forms.ModelForm):
    class Meta:
        model = Broker
        fields = ["instance_limit"]
        error_messages = {
            "instance_limit": dict.fromkeys(
                ("invalid", "min_value"),
                "Give a number of service instances, or nothing for no limit.",
            )
        }


@admin.register(Broker)
class BrokerAdmin(ConsoleAdmin):
    """One row, made at the first start. Its id is on every container."""

    form = BrokerForm
    list_display = ["name", "instance_limit", "instance_count"]
    search_fields = ["broker_id"]
    empty_text = "The broker has no row yet. manage.py bootstrap makes it."
    readonly_fields = ["broker_id", "instance_count"]
    fieldsets = [
        (None, {"fields": ["broker_id"]}),
        ("Service instances", {"fields": ["instance_limit", "instance_count"]}),
    ]

    def sections(self, request: HttpRequest, row: Broker) -> list[Section]:
        return orphans.lookup()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Broker, form: Any, change: bool
    ) -> None:
        save_edited(request, obj, form, action="edit broker", target=f"broker {obj}")

    @admin.display(description="broker", ordering="broker_id")
    def name(self, row: Broker) -> str:
        return str(row)

    @admin.display(description="service instances")
    def instance_count(self, row: Broker) -> SafeString:
        """Those that count against the limit."""
        live = Q(live_key__isnull=False)
        number = ServiceInstance.objects.aggregate(live=Count("pk", filter=live))
        return count_link(number["live"], ServiceInstance)
