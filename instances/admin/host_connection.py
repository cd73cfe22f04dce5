"""The connection on a Docker host's page: its test, and which engine it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.urls import path
from django.views.decorators.http import require_POST

from instances import errors
from instances.admin.base import Section
from instances.admin.chosen import operator
from instances.admin.html import badge, change_url, moment
from instances.models import DockerHost
from instances.operations import check_host

TEMPLATE = "admin/instances/section_connection.html"
CHECK_URL = "instances_dockerhost_check"
ACCEPT_URL = "instances_dockerhost_accept"
_TONES = {check_host.GOOD: "good", check_host.WARNING: "wait", check_host.BAD: "bad"}


def urls(model_admin: Any) -> list[Any]:
    views = {CHECK_URL: ("check", check), ACCEPT_URL: ("accept-engine", accept)}
    return [
        path(
            f"<path:object_id>/{word}/",
            require_POST(model_admin.admin_site.admin_view(partial(view, model_admin))),
            name=name,
        )
        for name, (word, view) in views.items()
    ]


def section(request: HttpRequest, model_admin: Any, host: DockerHost) -> Section:
    """What the last test has found; nothing is asked for it."""
    found = [check_host.Finding(**row) for row in host.findings or ()]
    content = {
        "host": host,
        "checked": moment(host.checked_at) if host.checked_at else "",
        "rows": [
            (badge(row.level, tone=_TONES[row.level]), row.text, row.cure)
            for row in found
        ],
        "may_check": model_admin.has_check_permission(request, host),
        # It decides which machine is trusted, as a change of the URL does.
        "may_accept": model_admin.has_change_permission(request, host),
    }
    return Section("Connection", TEMPLATE, content)


def check(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    host = _get(request, object_id, model_admin.has_check_permission)
    found = check_host.check(host)
    if check_host.is_bad(found):
        messages.error(request, f"Something is wrong with {host}: see Connection.")
    else:
        messages.success(request, f"{host} answers as it should.")
    return HttpResponseRedirect(f"{change_url(host)}#connection")


def accept(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """The engine that answers now is this host from now on."""
    host = _get(request, object_id, model_admin.has_change_permission)
    try:
        engine_id = request.POST.get("engine_id", "")
        check_host.accept_engine(host, engine_id, actor=operator(request))
    except errors.Conflict as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{host} is this Docker Engine from now on.")
    return HttpResponseRedirect(f"{change_url(host)}#connection")


def _get(
    request: HttpRequest, object_id: str, is_allowed: Callable[..., bool]
) -> DockerHost:
    """The row with its secrets, which are not selected for pages."""
    try:
        host = DockerHost.objects.filter(pk=unquote(object_id)).first()
    except ValueError:
        host = None
    if host is None:
        raise Http404
    if not is_allowed(request, host):
        raise PermissionDenied
    return host
