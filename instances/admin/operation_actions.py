"""Retry and cancel on the page of an operation."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path
from django.utils.html import format_html

from instances import errors
from instances.admin.base import ConsoleAdmin, Section, asks
from instances.admin.chosen import operator, say_refused
from instances.admin.html import change_url, link
from instances.models import Operation
from instances.operations import again

RETRY_URL = "instances_operation_retry"
CANCEL_URL = "instances_operation_cancel"
TEMPLATE = "admin/instances/section_operation_actions.html"


class Actions(ConsoleAdmin):
    """Buttons that post at once: neither takes anything away."""

    has_retry_permission = asks("retry")
    has_cancel_permission = asks("cancel")

    def get_urls(self) -> list[Any]:
        pages = {
            RETRY_URL: ("retry", self.has_retry_permission, _retry),
            CANCEL_URL: ("cancel", self.has_cancel_permission, _cancel),
        }
        return [
            *(
                path(
                    f"<uuid:pk>/{word}/",
                    self.admin_site.admin_view(partial(_view, may, act)),
                    name=name,
                )
                for name, (word, may, act) in pages.items()
            ),
            *super().get_urls(),
        ]

    def action_sections(self, request: HttpRequest, row: Operation) -> list[Section]:
        """What can be done with it, or why nothing can."""
        if row.state == row.State.FAILED:
            reason, form, label = again.why_not_again(row), "retry", "Retry"
            may = self.has_retry_permission(request)
        else:
            reason, form, label = again.why_not_cancelled(row), "cancel", "Cancel it"
            may = self.has_cancel_permission(request) and not row.is_finished
        if not may:
            return []
        content = {"form": "" if reason else form, "label": label, "note": reason}
        return [Section("What can be done", TEMPLATE, content)]


def _view(
    may: Callable[[HttpRequest], bool],
    act: Callable[[HttpRequest, Operation], HttpResponse],
    request: HttpRequest,
    pk: uuid.UUID,
) -> HttpResponse:
    if not may(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    operation = Operation.objects.filter(pk=pk).first()
    if operation is None:
        raise Http404
    try:
        return act(request, operation)
    except errors.BrokerError as error:
        say_refused(request, operation.instance, error)
        return HttpResponseRedirect(change_url(operation))


def _retry(request: HttpRequest, operation: Operation) -> HttpResponse:
    new = again.retry(operation, actor=operator(request))
    what = (link(new, f"{operation.get_kind_display()} again"), link(new.instance))
    messages.success(request, format_html("{} of {} is recorded.", *what))
    return HttpResponseRedirect(change_url(new))


def _cancel(request: HttpRequest, operation: Operation) -> HttpResponse:
    again.cancel(operation, actor=operator(request))
    text = "It ends at its next step, and what there was is put back."
    messages.success(request, text)
    return HttpResponseRedirect(change_url(operation))
