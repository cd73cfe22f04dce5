"""The document that platforms read, as it is now, and what they would refuse."""

import json

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from instances.admin.html import change_url
from instances.models import ServiceOffering
from instances.operations.catalog import catalog_document, complaints, without_plans
from instances.operations.catalog_changes import refresh_command


def preview(request: HttpRequest, model_admin: admin.ModelAdmin) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    document = catalog_document()
    sent = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    found = [
        {"complaint": complaint, "url": complaint.row and change_url(complaint.row)}
        for complaint in complaints()
    ]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Preview of the catalog",
        "opts": ServiceOffering._meta,
        "text": _printable(json.dumps(document, ensure_ascii=False, indent=2)),
        "size": len(sent.encode(errors="replace")),
        "offerings": len(document["services"]),
        "plans": sum(len(entry["plans"]) for entry in document["services"]),
        "complaints": found,
        "hidden": [(change_url(row), row) for row in without_plans()],
        "refresh_command": refresh_command(),
    }
    template = "admin/instances/catalog_preview.html"
    return TemplateResponse(request, template, context)


def _printable(text: str) -> str:
    """Half of a character, which a row may hold, cannot be sent to a browser."""
    return text.encode(errors="replace").decode()
