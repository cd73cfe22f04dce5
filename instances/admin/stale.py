"""Bindings whose apps still know an address from before a move."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from instances.admin.base import Section, secret_columns
from instances.admin.chosen import confirmation, load, operator
from instances.admin.html import change_url, isolated, link, moment
from instances.models import ServiceBinding, ServiceInstance
from instances.operations import readdress

URL_NAME = "instances_serviceinstance_bindings_renewed"
TEMPLATE = "admin/instances/section_stale.html"
RENEWED_TEMPLATE = "admin/instances/bindings_renewed.html"
MOST_ROWS = 200


def rows_of(instance: ServiceInstance) -> list[ServiceBinding]:
    rows = ServiceBinding.objects.stale().filter(instance=instance)
    rows = rows.defer(*secret_columns(ServiceBinding)).order_by("created_at")
    return list(rows[:MOST_ROWS])


def sections(instance: ServiceInstance, *, may_settle: bool = False) -> list[Section]:
    """None, if every app has the address of today."""
    rows = rows_of(instance)
    if not rows:
        return []
    content = {
        "rows": [_cells(row) for row in rows],
        "address": _address(instance),
        "settle_url": reverse(f"admin:{URL_NAME}", args=[instance.pk])
        if may_settle
        else "",
    }
    return [Section("Apps to bind anew", TEMPLATE, content)]


def _cells(row: ServiceBinding) -> tuple[object, ...]:
    return (
        link(row),
        isolated(row.app),
        isolated(row.app_guid),
        moment(row.stale_since),
    )


def _address(instance: ServiceInstance) -> str:
    container = instance.container
    if container is None or container.port is None:
        return "-"
    return f"{container.host.database_host}:{container.port}"


def settle(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET shows which are meant; POST says that it is done."""
    if not model_admin.has_move_permission(request):
        raise PermissionDenied
    found = load([pk])
    if not found:
        raise Http404
    instance = found[0]
    if request.method != "POST":
        return confirmation(
            *(request, model_admin, RENEWED_TEMPLATE, [instance]),
            title="Bindings renewed",
            stale=rows_of(instance),
        )
    number = readdress.settle(instance, actor=operator(request))
    messages.success(request, f"{number} bindings are known to have the new address.")
    return HttpResponseRedirect(change_url(instance))
