"""What every page of the console has in common: it shows, and loads no secret."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.auth import get_permission_codename
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from instances.encryption import EncryptedTextField
from instances.models import AuditEvent

HASHES = {"password_hash", "proof"}
"""Secret columns that are hashed rather than encrypted."""


@dataclass(frozen=True)
class Tool:
    """A button at the top of a page."""

    url: str
    label: str
    is_dangerous: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page below the fields, rendered by a template of its own."""

    title: str
    template: str
    content: Mapping[str, Any] = field(default_factory=dict)


def table(
    title: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str,
    all_url: str = "",
    more: tuple[str, str] | None = None,
) -> Section:
    """Rows of cells; the address of the whole list if the rows may be some of it.

    `more` is the address and the label of a link that is there even without rows.
    """
    content = {
        "headers": headers,
        "rows": list(rows),
        "empty": empty,
        "all_url": all_url,
        "more": more,
    }
    return Section(title, "admin/instances/section_table.html", content)


def secret_columns(model: type[Model], paths: Iterable[str] = ()) -> list[str]:
    """The secrets of the model and of those on the paths, as names for defer()."""
    found = _own_secrets(model)
    for path in paths:
        related, prefix = model, ""
        for step in path.split("__"):
            related = related._meta.get_field(step).related_model  # type: ignore[assignment]
            prefix += f"{step}__"
            found += [prefix + name for name in _own_secrets(related)]
    return found


def _own_secrets(model: type[Model]) -> list[str]:
    return [
        column.name
        for column in model._meta.concrete_fields
        if isinstance(column, EncryptedTextField) or column.name in HASHES
    ]


def count_of(rows: QuerySet[Any], by: str) -> Coalesce:
    """Annotate with the number of rows that point here; joins nothing."""
    counted = (
        rows.filter(**{by: OuterRef("pk")})
        .order_by()
        .values(by)
        .annotate(number=Count("pk"))
    )
    return Coalesce(Subquery(counted.values("number")), 0)


def save_edited(
    request: HttpRequest, row: Model, form: Any, *, action: str, target: str
) -> None:
    """Write what was edited and nothing else: others write to the row too."""
    if not form.changed_data:
        return
    row.save(update_fields=form.changed_data)
    secrets = set(_own_secrets(type(row)))
    changes = {
        name: ["", "given anew"]
        if name in secrets
        else [form.initial[name], form.cleaned_data[name]]
        for name in form.changed_data
    }
    record(request, action, target, changes)


def record(
    request: HttpRequest, action: str, target: str, changes: dict[str, Any]
) -> None:
    """In the history, as done by the operator who is logged in."""
    AuditEvent.objects.create(
        actor_kind="operator",
        actor_name=request.user.get_username(),
        action=action,
        target=target,
        changes=changes,
    )


def asks(action: str) -> Callable[..., bool]:
    """A has_…_permission of a ModelAdmin: for the model's permission to do that."""

    def has_permission(
        self: admin.ModelAdmin, request: HttpRequest, obj: Any = None
    ) -> bool:
        codename = get_permission_codename(action, self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    return has_permission


class ConsoleAdmin(admin.ModelAdmin):
    """A list and a page of one model.

    `list_select_related` holds for both. Encrypted columns are never selected:
    they cannot leak, and a row that no key opens does not break a list.
    """

    list_per_page = 50
    list_max_show_all = 200
    list_select_related: ClassVar[list[str]] = []
    actions_selection_counter = True
    empty_text: ClassVar[str] = "There is nothing here yet."
    """What a list without a single row says."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if self.list_select_related:
            rows = rows.select_related(*self.list_select_related)
        rows = rows.defer(*secret_columns(self.model, self.list_select_related))
        rows = rows.annotate(**self.annotations())
        return rows

    def annotations(self) -> dict[str, Any]:
        """What the database works out for each row, such as numbers of other rows."""
        return {}

    def sections(self, request: HttpRequest, row: Any) -> list[Section]:
        """What stands below the fields."""
        return []

    def tools(self, request: HttpRequest, row: Any) -> list[Tool]:
        """Buttons at the top of the page."""
        return []

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(
            request, {"title": title, **(extra_context or {})}
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {"title": capfirst(self.opts.verbose_name)}
        row = self.get_object(request, unquote(object_id))
        if row is not None and self.has_view_or_change_permission(request, row):
            context["sections"] = self.sections(request, row)
            context["tools"] = self.tools(request, row)
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that the broker itself writes: nothing to add, change or delete."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [
            str(name) for name in flatten_fieldsets(self.get_fieldsets(request, obj))
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
