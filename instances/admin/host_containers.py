"""All containers of a Docker host: ours with what they are for, and strangers'.

Strangers' are only shown: this broker touches none that has not its label.
"""

from functools import partial
from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from instances import errors
from instances.admin.base import Section, secret_columns, table
from instances.admin.html import as_list, badge, isolated, link
from instances.containers import Neighbour
from instances.models import Broker, Container, DockerHost
from instances.operations import hosts

TIMEOUT_S = 5
URL_NAME = "instances_dockerhost_containers"
MOST_ROWS = 500
UNKNOWN = badge("no row", tone="wait")


def urls(model_admin: Any) -> list[Any]:
    view = model_admin.admin_site.admin_view(partial(show, model_admin))
    return [path("<path:object_id>/containers/", require_safe(view), name=URL_NAME)]


def url(host: DockerHost) -> str:
    return reverse(f"admin:{URL_NAME}", args=[quote(host.pk)])


def show(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    host = model_admin.get_object(request, unquote(object_id))
    if host is None:
        raise Http404
    if not model_admin.has_view_or_change_permission(request, host):
        raise PermissionDenied
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"Containers on {host}",
        "host": host,
        "sections": sections(host),
    }
    name = "admin/instances/host_containers.html"
    return TemplateResponse(request, name, context)


def sections(host: DockerHost) -> list[Section]:
    """Ask the host. One that does not answer is told of, never raised."""
    broker_id = str(Broker.this().broker_id)
    try:
        connection = hosts.connect(host, timeout_s=TIMEOUT_S)
        found = connection.neighbours(broker_id=broker_id)
    except errors.BrokerError as error:
        content = {"problem": str(error), "detail": error.detail}
        return [Section("Containers", "admin/instances/section_live.html", content)]
    ours = [row for row in found if row.is_ours]
    return [_ours(host, ours), _strangers([row for row in found if not row.is_ours])]


def _ours(host: DockerHost, found: list[Neighbour]) -> Section:
    related = ("instance",)
    rows = host.containers.exclude(state=Container.State.GONE)
    rows = rows.select_related(*related).defer(*secret_columns(Container, related))
    by_name = {row.name: row for row in rows}
    return table(
        "Of this broker",
        ("Container", "In Docker", "By its row", "Service instance", "Image", "Ports"),
        (_our_cells(seen, by_name.get(seen.name)) for seen in found[:MOST_ROWS]),
        empty="None: the next service instance that is placed here gets the first one.",
    )


def _our_cells(seen: Neighbour, row: Container | None) -> tuple[object, ...]:
    state = UNKNOWN if row is None else badge(row.state, row.get_state_display())
    return (
        link(row) if row is not None else isolated(seen.name),
        _in_docker(seen),
        state,
        link(getattr(row, "instance", None)),
        isolated(seen.image),
        as_list(seen.ports),
    )


def _strangers(found: list[Neighbour]) -> Section:
    return table(
        "Of others, which this broker does not touch",
        ("Container", "In Docker", "Image", "Ports"),
        (
            (
                isolated(seen.name),
                _in_docker(seen),
                isolated(seen.image),
                as_list(seen.ports),
            )
            for seen in found[:MOST_ROWS]
        ),
        empty="None: this Docker Engine runs nothing but databases of this broker.",
    )


def _in_docker(seen: Neighbour) -> object:
    tone = "good" if seen.state == "running" else ""
    return badge(seen.state, seen.status, tone=tone)
