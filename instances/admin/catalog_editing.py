"""What offerings and plans have in common: they are edited, the history is kept."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from instances.admin.base import ConsoleAdmin
from instances.admin.html import list_url
from instances.models import Actor
from instances.operations.catalog import catalog_document
from instances.operations.catalog_changes import refresh_command, remove, store

PREVIEW_URL = "admin:instances_catalog_preview"


class CatalogAdmin(ConsoleAdmin):
    """Who has the right may change everything but ids; others see it."""

    class Media:
        css = {"all": ["brokersite/catalog.css"]}

    change_list_template = "admin/instances/catalog_change_list.html"
    change_form_template = "admin/instances/catalog_change_form.html"
    actions = None
    read_fieldsets: Any = ()
    """What those see who may not change it."""
    fixed_fields: tuple[str, ...] = ("id",)
    """Given when the entry is added, and never changed."""
    shown_fields: tuple[str, ...] = ("deletion",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self._may_edit(request, obj):
            return self.read_fieldsets
        return [
            (title, {**options, "fields": self._fields_for(obj, options["fields"])})
            for title, options in self.fieldsets or ()
        ]

    def _fields_for(self, row: Any, names: Any) -> list[str]:
        return [name for name in names if row or name not in self.shown_fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self._may_edit(request, obj):
            return flatten_fieldsets(self.get_fieldsets(request, obj))
        return (*self.shown_fields, *self.fixed_fields) if obj else self.shown_fields

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None:
            told = self.form._meta.help_texts or {}
            kwargs["help_texts"] = {**told, "id": "Platforms remember it for ever."}
        return super().get_form(request, obj, change, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        return {"id": str(uuid.uuid4()), **initial}

    def _may_edit(self, request: HttpRequest, row: Any) -> bool:
        if row is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, row)

    @admin.display(description="deletion")
    def deletion(self, row: Any) -> str:
        if row.has_had_instances():
            return (
                "It cannot be deleted: it has or had service instances. "
                "Take the tick off active, and platforms are no longer offered it."
            )
        return (
            "It never had a service instance: it can be deleted, unless plans or "
            "containers belong to it."
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has or had an instance is history: it can be deactivated."""
        is_used = obj is not None and obj.has_had_instances()
        return super().has_delete_permission(request, obj) and not is_used

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        store(obj, actor=_operator(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        remove(obj, actor=_operator(request))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        before = catalog_document() if request.method == "POST" else None
        response = super().changeform_view(request, object_id, form_url, extra_context)
        return self._with_hint(request, before, response)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        before = catalog_document() if request.method == "POST" else None
        try:
            response = super().delete_view(request, object_id, extra_context)
        except ProtectedError:
            # Somebody has begun to use it since the page was shown.
            text = "It is in use: take the tick off active instead of deleting it."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(list_url(self.model))
        return self._with_hint(request, before, response)

    def _with_hint(self, request: HttpRequest, before: Any, response: Any) -> Any:
        if before is not None and before != catalog_document():
            text = f"Cloud Foundry sees this after: {refresh_command()}"
            self.message_user(request, text, messages.WARNING)
        return response

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"preview_url": reverse(PREVIEW_URL)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"links": self.links(request, object_id)}
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def links(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        """Addresses and labels at the top of the page."""
        return [(reverse(PREVIEW_URL), "Preview the catalog")]


def _operator(request: HttpRequest) -> Actor:
    return Actor(kind="operator", name=request.user.get_username())
