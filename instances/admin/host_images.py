"""The plans' images on a Docker host's page, and the buttons that prestage them."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from instances import errors
from instances.admin.base import Section
from instances.admin.html import NOTHING, badge, change_url, link, moment
from instances.containers import MOST_LAYERS, VERSION_LABEL
from instances.models import Actor, DockerHost, HostImage
from instances.operations import prestage
from instances.operations.host_images import PlannedImage, lacking, look, planned

TIMEOUT_S = 3
TEMPLATE = "admin/instances/section_images.html"
SECTION_URL = "instances_dockerhost_images"
PRESTAGE_URL = "instances_dockerhost_prestage"
DEEP = 100
"""Layers from which on the limit is near: each backup adds one."""


def urls(model_admin: Any) -> list[Any]:
    views = {SECTION_URL: ("images", show), PRESTAGE_URL: ("prestage", accept)}
    return [
        path(
            f"<path:object_id>/{word}/",
            model_admin.admin_site.admin_view(partial(view, model_admin)),
            name=name,
        )
        for name, (word, view) in views.items()
    ]


def section(request: HttpRequest, model_admin: Any, host: DockerHost) -> Section:
    """Ask the host. One that does not answer is told of, never raised."""
    images = planned(host)
    problem: errors.BrokerError | None = None
    try:
        look(host, images, timeout_s=TIMEOUT_S)
    except errors.BrokerError as error:
        problem = error
    rows = [_row(image, is_known=problem is None) for image in images]
    content = {
        "problem": problem,
        "rows": rows,
        "lacks_several": sum(bool(row["button"]) for row in rows) > 1,
        "may_prestage": model_admin.has_prestage_permission(request, host),
        "refresh_url": "",
    }
    if any(image.is_under_way for image in images):
        content["refresh_url"] = _url(SECTION_URL, host)
    return Section("Images of the plans", TEMPLATE, content)


def show(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """The section alone, for the page to replace while something is under way."""
    host = _get(model_admin, request, object_id)
    if not model_admin.has_view_or_change_permission(request, host):
        raise PermissionDenied
    content = section(request, model_admin, host).content
    return render(request, TEMPLATE, {"content": content})


def accept(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Record the wish for one image, or for all that the host lacks."""
    host = _get(model_admin, request, object_id)
    if not model_admin.has_prestage_permission(request, host):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        chosen = _chosen(request, host)
    except errors.HostUnreachable as error:
        messages.error(request, f"The Docker host could not be asked: {error.detail}")
        chosen = []
    actor = Actor(kind="operator", name=request.user.get_username())
    recorded = [row for row in chosen if prestage.accept(host, row, actor=actor)]
    if recorded:
        messages.success(request, f"Prestage of {', '.join(recorded)} is recorded.")
    elif chosen:
        messages.warning(request, "This prestage is already under way.")
    return HttpResponseRedirect(f"{change_url(host)}#images")


def _get(model_admin: Any, request: HttpRequest, object_id: str) -> DockerHost:
    host: DockerHost | None = model_admin.get_object(request, unquote(object_id))
    if host is None:
        raise Http404
    return host


def _chosen(request: HttpRequest, host: DockerHost) -> list[str]:
    """Raise HostUnreachable, or Http404 for an image that no active plan names."""
    image = request.POST.get("image")
    if image is None:
        return lacking(host, timeout_s=TIMEOUT_S)
    if image not in {row.reference for row in planned(host)}:
        raise Http404
    return [image]


def _url(name: str, host: DockerHost) -> str:
    return reverse(f"admin:{name}", args=[quote(host.pk)])


def _row(image: PlannedImage, *, is_known: bool) -> dict[str, Any]:
    # Of a host that is silent, the last failure is worth knowing too.
    wish, is_wanting = image.wish, image.is_wanting or not is_known
    return {
        "reference": image.reference,
        "plans": format_html_join(", ", "{}", ((link(plan),) for plan in image.plans)),
        "cells": _cells(image) if is_known else [badge("not known"), *[NOTHING] * 4],
        "button": _button(image) if is_known and image.is_lacking else "",
        "progress": _progress(wish) if wish and image.is_under_way else "",
        "wish_badge": badge(wish.state) if wish and _is_news(image, is_wanting) else "",
        "error": wish.error if wish and is_wanting else "",
        "failed": moment(wish.finished_at) if wish and wish.error else "",
    }


def _progress(wish: HostImage) -> str:
    if wish.state == HostImage.State.WANTED:
        return "waiting for a worker"
    return wish.progress


def _is_news(image: PlannedImage, is_wanting: bool) -> bool:
    """Whether the last prestage says more than Docker does by now."""
    has_failed = image.wish is not None and bool(image.wish.error)
    return image.is_under_way or (has_failed and is_wanting)


def _button(image: PlannedImage) -> str:
    if image.wish and image.wish.error:
        return "Try again"
    return "Build again" if image.is_outdated else "Prestage"


def _cells(image: PlannedImage) -> list[object]:
    """Is it there, how big, since when, how deep, and who runs it."""
    status = image.status
    if status is None:
        return [badge("missing", tone="bad"), *[NOTHING] * 3, _containers(image)]
    there = badge("outdated", tone="wait") if image.is_outdated else badge("there")
    version = status.labels.get(VERSION_LABEL, "")
    return [
        format_html(
            '{}<br><span class="mini" title="{}">{}</span>',
            *(there, status.id, _named(status.id, version)),
        ),
        f"{status.size_bytes / 1e6:.0f} MB",
        moment(status.created_at),
        _layers(status.layers),
        _containers(image),
    ]


def _layers(number: int) -> SafeString:
    text = format_html("{} of {}", number, MOST_LAYERS)
    return text if number < DEEP else badge("", text, tone="wait")


def _containers(image: PlannedImage) -> SafeString:
    """How many, and how many of them run an image that had the name before."""
    if not image.older:
        return format_html("{}", len(image.containers))
    older = {
        _named(row.image_id, row.labels.get(VERSION_LABEL, "")) for row in image.older
    }
    return format_html(
        '{}<br><span title="{}">{}</span>',
        len(image.containers),
        ", ".join(sorted(older)),
        badge("", f"{len(image.older)} with an older image", tone="wait"),
    )


def _named(image_id: str, version: str) -> str:
    """The id as Docker's own tools show it, and the version if there is one."""
    short = image_id.removeprefix("sha256:")[:12]
    return f"{short}, version {version}" if version else short
