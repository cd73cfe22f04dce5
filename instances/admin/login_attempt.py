"""Failed logins of late, and how an administrator lets somebody try again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin.base import ReadOnlyAdmin, asks, record
from instances.admin.html import badge, isolated, moment
from instances.models import LoginAttempt


@admin.register(LoginAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin):
    list_display = ["name", "from_where", "state_badge", "failures", "last", "until"]
    list_display_links = None
    search_fields = ["username", "address"]
    actions = ["unlock"]
    empty_text = (
        "No login has failed of late. Names that somebody tries wrong passwords "
        "with will be here, and can be unlocked."
    )
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("name", "from_where", "state_badge"),
                    *("failures", "last", "until"),
                ]
            },
        )
    ]
    has_unlock_permission = asks("unlock")

    def annotations(self) -> dict[str, Any]:
        is_locked = ExpressionWrapper(
            Q(locked_until__gt=Now()), output_field=BooleanField()
        )
        return {"is_locked": is_locked}

    @admin.display(description="user name", ordering="username")
    def name(self, row: LoginAttempt) -> SafeString | str:
        return isolated(row.username) if row.username else "all names"

    @admin.display(description="from address", ordering="address")
    def from_where(self, row: LoginAttempt) -> SafeString:
        return isolated(row.address)

    @admin.display(description="state", ordering="locked_until")
    def state_badge(self, row: Any) -> SafeString:
        return badge("locked", tone="bad") if row.is_locked else badge("open")

    @admin.display(description="last attempt (UTC)", ordering="last_at")
    def last(self, row: LoginAttempt) -> SafeString:
        return moment(row.last_at)

    @admin.display(description="locked until (UTC)", ordering="locked_until")
    def until(self, row: LoginAttempt) -> SafeString:
        return moment(row.locked_until)

    @admin.action(description="Unlock the selected ones", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[LoginAttempt]) -> None:
        rows = list(queryset)
        for row in rows:
            record(request, "unlock login", f"login {row}", {})
        LoginAttempt.objects.filter(pk__in=[row.pk for row in rows]).delete()
        text = f"{len(rows)} unlocked: logins can be tried again at once."
        self.message_user(request, text, messages.SUCCESS)
