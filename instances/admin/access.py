"""Who may call the broker, and which workers serve it."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin
from instances.admin.html import badge, moment
from instances.models import BrokerCredential, Worker
from instances.models.broker import HEARTBEAT_LIMIT


@admin.register(BrokerCredential)
class BrokerCredentialAdmin(ReadOnlyAdmin):
    list_display = ["username", "active", "created"]
    list_filter = ["active"]
    search_fields = ["username"]
    empty_text = (
        "No platform can log in: there is no login yet. "
        "manage.py bootstrap makes the first one."
    )
    fieldsets = [(None, {"fields": ["username", "active", "created"]})]

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, row: BrokerCredential) -> SafeString:
        return moment(row.created_at)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["name", "state_badge", "started", "seen"]
    search_fields = ["name"]
    empty_text = (
        "No worker runs, so nothing that platforms ask for gets done. "
        "manage.py worker starts one."
    )
    fieldsets = [(None, {"fields": ["name", "state_badge", "started", "seen"]})]

    def annotations(self) -> dict[str, Any]:
        """By the database's clock, which the heartbeats go by."""
        is_alive = ExpressionWrapper(
            Q(seen_at__gte=Now() - HEARTBEAT_LIMIT), output_field=BooleanField()
        )
        return {"is_alive": is_alive}

    @admin.display(description="state", ordering="seen_at")
    def state_badge(self, row: Any) -> SafeString:
        return badge("alive" if row.is_alive else "silent")

    @admin.display(description="started (UTC)", ordering="started_at")
    def started(self, row: Worker) -> SafeString:
        return moment(row.started_at)

    @admin.display(description="last heard of (UTC)", ordering="seen_at")
    def seen(self, row: Worker) -> SafeString:
        return moment(row.seen_at)
