"""The list of service instances as CSV or JSON: what is searched and filtered for."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.utils import timezone

from instances.admin import names
from instances.admin.base import record

URL_NAME = "instances_serviceinstance_export"
CHUNK = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for one at the beginning of a cell (SECURITY S53)."""


def export(request: HttpRequest, model_admin: Any, form: str) -> HttpResponseBase:
    """POST, since it is in the audit log: everything that the list would show."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    rows = model_admin.get_changelist_instance(request).get_queryset(request)
    query = {name: request.GET.getlist(name) for name in request.GET}
    record(request, f"export as {form}", "service instances", {"filters": query})
    documents = (_document(row) for row in rows.iterator(chunk_size=CHUNK))
    if form == "csv":
        body, kind = _as_csv(documents), "text/csv; charset=utf-8"
    else:
        body, kind = _as_json(documents), "application/json"
    name = f"service-instances-{timezone.now():%Y%m%d-%H%M%S}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(body, content_type=kind, headers=headers)


def _document(row: Any) -> dict[str, Any]:
    """One service instance; nothing in it is secret."""
    container, plan = row.container, row.plan
    return {
        "guid": row.guid,
        "name": row.instance_name,
        "state": row.state,
        "offering": plan.offering.name,
        "plan": plan.name,
        "engine": plan.offering.engine,
        "organization_guid": row.organization_guid,
        "organization_name": names.organization(row),
        "space_guid": row.space_guid,
        "space_name": names.space(row),
        "bindings": row.live_bindings,
        "behind_plan": row.is_behind,
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "gone_at": row.gone_at and row.gone_at.isoformat(timespec="seconds"),
        **_place(container),
    }


def _place(container: Any) -> dict[str, Any]:
    columns = ("memory_mb", "disk_used_mb", "disk_mb", "disk_state", "image")
    if container is None:
        blank = (*columns, "host", "address", "port", "cpus", "stopped_at")
        return dict.fromkeys(blank)
    stopped = container.stopped_at
    return {
        **{name: getattr(container, name) for name in columns},
        "host": container.host.name,
        "address": container.host.database_host,
        "port": container.port,
        "cpus": str(container.cpus),
        "stopped_at": stopped and stopped.isoformat(timespec="seconds"),
    }


class _Echo:
    """A file that only hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _as_csv(documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    columns: list[str] = list(_NAMES)
    yield writer.writerow(columns)
    for document in documents:
        yield writer.writerow([_cell(document[name]) for name in columns])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _as_json(documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    before = "["
    for document in documents:
        yield f"{before}\n{json.dumps(document, ensure_ascii=False)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


_NAMES = (
    *("guid", "name", "state", "offering", "plan", "engine"),
    *("organization_guid", "organization_name", "space_guid", "space_name"),
    *("host", "address", "port", "memory_mb", "cpus", "image"),
    *("disk_used_mb", "disk_mb", "disk_state", "bindings", "behind_plan"),
    *("stopped_at", "created_at", "gone_at"),
)
