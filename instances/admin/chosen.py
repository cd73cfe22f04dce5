"""What the confirmations share: a few chosen instances, shown, then asked for."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from instances import errors
from instances.admin.base import secret_columns
from instances.admin.html import change_url, link, list_url
from instances.models import Actor, ServiceBinding, ServiceInstance
from instances.operations import bulk

MOST = 20
"""Service instances at once: a slip must not change a whole installation."""


def confirmation_url(url_name: str, ids: Iterable[uuid.UUID]) -> str:
    query = urlencode({"id": [str(pk) for pk in ids]}, doseq=True)
    return f"{reverse(f'admin:{url_name}')}?{query}"


def to_confirmation(
    request: HttpRequest,
    url_name: str,
    queryset: QuerySet[ServiceInstance],
    action: str,
) -> HttpResponse | None:
    """Lead from the list to the confirmation: nothing has been asked for yet.

    Several become a bulk run, which is confirmed on a page of its own.
    """
    most = bulk.most(action)
    ids = list(queryset.values_list("pk", flat=True)[: most + 1])
    if len(ids) > most:
        text = f"Select at most {most} service instances at once."
        messages.error(request, text)
        return None
    if len(ids) == 1:
        return HttpResponseRedirect(confirmation_url(url_name, ids))
    run = bulk.plan(action, ids, actor=operator(request))
    return HttpResponseRedirect(reverse("admin:instances_bulkrun_start", args=[run.pk]))


def get_chosen(request: HttpRequest) -> list[ServiceInstance]:
    """Raise Http404 if the ids are not those of a few service instances."""
    source = request.POST if request.method == "POST" else request.GET
    try:
        ids = {uuid.UUID(text) for text in source.getlist("id")[: MOST + 1]}
    except ValueError:
        raise Http404 from None
    chosen = load(ids)
    if len(chosen) != len(ids) or not 0 < len(ids) <= MOST:
        raise Http404
    return chosen


def load(ids: Iterable[uuid.UUID]) -> list[ServiceInstance]:
    """What a confirmation shows of them, with their bindings as .bound."""
    related = ("plan__offering", "container__host", "container__lease")
    bindings = ServiceBinding.objects.exclude(state=ServiceBinding.State.GONE)
    rows = (
        ServiceInstance.objects.filter(pk__in=ids)
        .select_related(*related)
        .defer(*secret_columns(ServiceInstance, related))
        .prefetch_related(
            Prefetch(
                "bindings",
                bindings.defer(*secret_columns(ServiceBinding)),
                to_attr="bound",
            )
        )
    )
    return list(rows)


def confirmation(
    request: HttpRequest,
    model_admin: Any,
    template: str,
    chosen: list[ServiceInstance],
    **context: Any,
) -> HttpResponse:
    """The page; its address is where it posts to."""
    context = {
        **admin.site.each_context(request),
        "opts": model_admin.opts,
        "chosen": chosen,
        "back_url": way_back(chosen),
        **context,
    }
    return TemplateResponse(request, template, context)


def way_back(chosen: list[ServiceInstance]) -> str:
    return change_url(chosen[0]) if len(chosen) == 1 else list_url(ServiceInstance)


def operator(request: HttpRequest) -> Actor:
    return Actor(kind="operator", name=request.user.get_username())


def say_refused(
    request: HttpRequest, instance: ServiceInstance, error: errors.BrokerError
) -> None:
    words = dict.fromkeys((str(error), error.detail))
    text = format_html("{}: {}", link(instance), " ".join(words))
    messages.error(request, text)
