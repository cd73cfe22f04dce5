"""Every page of the console, as its URL configuration has it, with an address."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.urls import URLPattern

from instances.models import Worker

ROOT = "/admin/"
_MODEL = re.compile(r"^(\w+)/(\w+)/$")


@dataclass(frozen=True)
class Route:
    key: str
    """Its name, or the pattern of one that has none."""
    pattern: str
    """Below the console's address; for its arguments stands the row's key."""
    model: str
    """app_model, for those of a ModelAdmin."""

    def address(self, rows: Any, path: str = "") -> str:
        """Of the page that belongs to the model's row among the rows."""
        pk: object = 0
        if self.model:
            pk = quote(rows[apps.get_model(self.model.replace("_", "."))].pk)
        values = {"content_type_id": _content_type()}
        filled = path or re.sub(
            r"<(?:\w+:)?(\w+)>",
            lambda match: str(values.get(match[1], pk)),
            self.pattern,
        )
        return f"{ROOT}{filled}"


def _content_type() -> int:
    return ContentType.objects.get_for_model(Worker).pk


def every() -> list[Route]:
    return list(_walk(admin.site.get_urls(), "", ""))


def _walk(patterns: list[Any], prefix: str, model: str) -> Iterator[Route]:
    for entry in patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            unnamed = f"{model}/{entry.pattern}" if model else pattern
            yield Route(entry.name or unnamed, pattern, model)
        else:
            found = _MODEL.match(pattern)
            below = f"{found[1]}_{found[2]}" if found else model
            yield from _walk(entry.url_patterns, pattern, below)


def actions() -> Iterator[tuple[str, str]]:
    """The model and the name of each action, whoever may use it."""
    for model, model_admin in admin.site._registry.items():
        for _, name, _ in model_admin._get_base_actions():
            yield f"{model._meta.app_label}_{model._meta.model_name}", name
