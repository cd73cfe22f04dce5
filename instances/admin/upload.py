"""The page that takes a file in as a backup, and where it goes."""

import uuid
from collections.abc import Generator
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    UnreadablePostError,
)

from instances import errors
from instances.admin.chosen import confirmation, load, operator, say_refused
from instances.admin.html import change_url
from instances.models import ServiceInstance
from instances.operations import execution, upload

URL_NAME = "instances_serviceinstance_upload_backup"
TEMPLATE = "admin/instances/upload_backup.html"
CHUNK = 2**18
MOST_DRAINED = 64 * 2**20


class UploadForm(forms.Form):
    """What the address of the PUT says; the file is its body."""

    checksum = forms.RegexField(
        upload.CHECKSUM.pattern,
        required=False,
        strip=True,
        label="SHA-256",
        help_text="Of the file, as its download page showed it; empty: not compared.",
        error_messages={"invalid": "Give the 64 hexadecimal digits of its SHA-256."},
        widget=forms.TextInput(
            attrs={"class": "vTextField", "autocomplete": "off", "maxlength": 64}
        ),
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        initial=upload.DAYS,
        label="Kept for days",
        help_text="Then it goes, whatever the plan's retention says.",
    )
    note = forms.CharField(
        required=False,
        max_length=255,
        label="Note",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


def view(request: HttpRequest, model_admin: Any, pk: uuid.UUID) -> HttpResponse:
    """GET shows the form; PUT takes the file as the body, while it comes."""
    if not model_admin.has_upload_permission(request):
        raise PermissionDenied
    chosen = load([pk])
    if not chosen:
        raise Http404
    (instance,) = chosen
    if request.method == "PUT":
        return _put(request, instance)
    try:
        upload.check(instance)
    except errors.BrokerError as error:
        say_refused(request, instance, error)
        return HttpResponseRedirect(change_url(instance))
    return confirmation(
        request,
        model_admin,
        TEMPLATE,
        chosen,
        title="Upload a backup",
        form=UploadForm(),
        most_mib=upload.most_bytes() // 2**20,
    )


def _put(request: HttpRequest, instance: ServiceInstance) -> HttpResponse:
    form = UploadForm(request.GET)
    if not form.is_valid():
        mistakes = [
            f"{name}: {text}" for name, texts in form.errors.items() for text in texts
        ]
        return _refusal(request, " ".join(mistakes))
    said = form.cleaned_data
    wish = upload.Wish(_length(request), said["checksum"], said["note"], said["days"])
    try:
        backup = upload.receive(
            instance,
            wish,
            _chunks(request),
            owner=execution.web_owner(),
            actor=operator(request),
        )
    except errors.TransfersBusy as error:
        return _refusal(request, str(error), status=503)
    except errors.BrokerError as error:
        return _refusal(request, " ".join(dict.fromkeys((str(error), error.detail))))
    return JsonResponse({"url": change_url(backup)}, status=201)


def _length(request: HttpRequest) -> int:
    """Django reads no more than that of a body, whatever comes."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else 0


def _chunks(request: HttpRequest) -> Generator[bytes]:
    try:
        while chunk := request.read(CHUNK):
            yield chunk
    except UnreadablePostError:
        raise errors.ArchiveRefused("The upload was broken off.") from None


def _refusal(request: HttpRequest, text: str, *, status: int = 422) -> HttpResponse:
    """A browser that is still sending reads no answer: some of the rest is taken."""
    drained = 0
    try:
        while drained < MOST_DRAINED and (chunk := request.read(CHUNK)):
            drained += len(chunk)
    except OSError:
        pass  # It has gone away.
    return JsonResponse({"error": text}, status=status)
