"""A binding's credentials, for an operator who says why: shown once, and audited."""

import json
import logging
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html

from instances import errors
from instances.admin.base import secret_columns
from instances.admin.chosen import operator
from instances.admin.html import change_url, link
from instances.admin.wish import ReasonForm
from instances.models import AuditEvent, ServiceBinding
from instances.models.service_binding import MADE

logger = logging.getLogger(__name__)

URL_NAME = "instances_servicebinding_reveal"
TEMPLATE = "admin/instances/reveal.html"


class RevealForm(ReasonForm):
    reason = forms.CharField(
        max_length=255,
        label="Reason",
        help_text="It stands in the audit log beside your name.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )


def reveal(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET asks for a reason; POST records it, then answers with the credentials."""
    if not model_admin.has_reveal_permission(request):
        raise PermissionDenied
    rows = ServiceBinding.objects.select_related("instance")
    binding = rows.defer(*secret_columns(ServiceBinding)).filter(pk=pk).first()
    if binding is None:
        raise Http404
    if binding.state not in MADE:
        text = "{} has no credentials: it is {}."
        state = binding.get_state_display().lower()
        messages.warning(request, format_html(text, link(binding), state))
        return HttpResponseRedirect(change_url(binding))
    form = RevealForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "binding": binding}
    if form.is_valid():
        context["revealed"] = _revealed(request, binding, form.cleaned_data["reason"])
    response = TemplateResponse(
        request,
        TEMPLATE,
        {
            **admin.site.each_context(request),
            "opts": model_admin.opts,
            "title": "Reveal credentials",
            "back_url": change_url(binding),
            **context,
        },
    )
    # Not even a page that is gone back to may hold them.
    add_never_cache_headers(response)
    return response


def _revealed(request: HttpRequest, binding: ServiceBinding, reason: str) -> str:
    """The audit first: what was not recorded is not shown."""
    AuditEvent.record(
        operator(request),
        "reveal credentials",
        binding.instance,
        binding=binding.guid,
        reason=reason,
    )
    logger.warning("binding=%s instance=%s revealed", binding.pk, binding.instance_id)
    try:
        credentials = ServiceBinding.objects.only("credentials").get(pk=binding.pk)
    except errors.BrokerError as error:
        messages.error(request, str(error))
        return ""
    return json.dumps(credentials.credentials, indent=2, sort_keys=True)
