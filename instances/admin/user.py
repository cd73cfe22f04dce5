"""The console's own users, and the roles that the migrations have made."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest

from instances.admin.html import as_list
from instances.logins import sessions
from instances.models import AuditEvent

# Importing Django's own pages has registered them.
admin.site.unregister((get_user_model(), Group))


WEIGHTY = {"groups", "user_permissions", "is_active", "is_staff", "is_superuser"}


class Audited(admin.ModelAdmin):
    """Every change, of a password too, is an audit event."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "edit", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            self._record(request, "delete", row, [])
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, verb: str, row: Any, message: Any) -> None:
        AuditEvent.objects.create(
            actor_kind="operator",
            actor_name=request.user.get_username(),
            action=f"{verb} {self.opts.verbose_name}",
            target=f"{self.opts.verbose_name} {row}",
            changes={"said": message} if message else {},
        )


class Ticked(admin.ModelAdmin):
    """Roles and permissions to tick: Django's two lists have no labels to be read."""

    class Media:
        css = {"all": ["brokersite/users.css"]}

    def formfield_for_manytomany(
        self, db_field: Any, request: Any = None, **kwargs: Any
    ) -> Any:
        kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class ConsoleUserAdmin(Ticked, Audited, UserAdmin):
    """Only a superuser makes, changes or removes one, so no role can become more."""

    list_display = ["username", "roles", "is_active", "is_staff", "is_superuser"]
    list_filter = ["groups", "is_active", "is_staff", "is_superuser"]
    readonly_fields = ["last_login", "date_joined"]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": [
                    *("username", "usable_password", "password1", "password2"),
                    *("is_staff", "groups"),
                ],
                "description": "“Staff status” opens the console; the group is the "
                "role there. Without one, nothing is shown.",
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _is_below(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_below(request, obj)

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        """Who has another role, or none, logs in anew: everywhere but here."""
        super().save_related(request, form, *args)
        if WEIGHTY & set(form.changed_data) and form.instance != request.user:
            sessions.log_out_everywhere(form.instance)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        # Django's page for a password comes by here alone.
        if obj != request.user and _is_of_password(request):
            sessions.log_out_everywhere(obj)
        return super().log_change(request, obj, message)

    @admin.display(description="roles")
    def roles(self, row: Any) -> str:
        return as_list(row.groups.all())


@admin.register(Group)
class ConsoleGroupAdmin(Ticked, Audited, GroupAdmin):
    """What a role may do; administrators see it, superusers change it."""


def _is_below(request: HttpRequest, row: Any) -> bool:
    return bool(row is None or request.user.is_superuser or not row.is_superuser)


def _is_of_password(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name == "auth_user_password_change"
