"""Copies of a backup: where they are, and the forms that make and remove them."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances import errors
from instances.admin.base import Section, table
from instances.admin.chosen import operator
from instances.admin.html import (
    badge,
    isolated,
    link,
    mebibytes,
    moment,
    preformatted,
    whole,
)
from instances.models import Backup, BackupCopy, DockerHost
from instances.operations import backup_copies

HEADERS = ("Where", "State", "Sent", "Last seen (UTC)", "Asked for by", "")
REGISTRY = "registry"


class CopyForm(forms.Form):
    """Another host, or the registry if there is one."""

    where = forms.ChoiceField(label="Copy to")

    def __init__(self, data: Any, backup: Backup) -> None:
        super().__init__(data)
        others = DockerHost.objects.exclude(pk=backup.host_id).order_by("name")
        choices = [(str(row.pk), f"host {row.name}") for row in others]
        if settings.BACKUP_REGISTRY:
            choices.append((REGISTRY, f"registry {settings.BACKUP_REGISTRY}"))
        self.has_choices = bool(choices)
        self.fields["where"].choices = choices  # type: ignore[attr-defined]


def shown(backup: Backup) -> list[BackupCopy]:
    rows = backup.copies.exclude(state=BackupCopy.State.GONE)
    return list(rows.select_related("host"))


def section(backup: Backup) -> Section:
    rows = [list(_cells(row)) for row in shown(backup)]
    empty = "There is none: it is on its own host alone."
    return table("Copies", HEADERS[:-1], rows, empty=empty)


def _cells(row: BackupCopy) -> Iterator[SafeString | str]:
    yield link(row.host) if row.host else whole(row.where)
    note = row.progress or row.error
    yield format_html("{} {}", badge(row.state, row.get_state_display()), _note(note))
    yield mebibytes(row.sent_bytes)
    yield moment(row.checked_at)
    yield isolated(row.requested_by)


def _note(text: str) -> SafeString:
    return preformatted(text) if text else SafeString("")


def listing(backup: Backup) -> list[dict[str, Any]]:
    """For the page that has a button for each."""
    removable = (
        BackupCopy.State.WANTED,
        BackupCopy.State.READY,
        BackupCopy.State.FAILED,
    )
    return [
        {"pk": row.pk, "cells": list(_cells(row)), "can_go": row.state in removable}
        for row in shown(backup)
    ]


def make(request: HttpRequest, backup: Backup) -> None:
    form = CopyForm(request.POST, backup)
    if not form.is_valid():
        messages.error(request, "Choose a host that there is.")
        return
    where = form.cleaned_data["where"]
    host = None if where == REGISTRY else DockerHost.objects.get(pk=where)
    try:
        is_new = backup_copies.accept(backup, host, actor=operator(request))
    except errors.BrokerError as error:
        messages.error(request, str(error))
        return
    text = "The copy is recorded." if is_new else "There is such a copy already."
    messages.success(request, text)


def remove(request: HttpRequest, backup: Backup) -> None:
    pk = request.POST.get("copy", "")
    copy = backup.copies.filter(pk=int(pk)).first() if pk.isdigit() else None
    if copy is None:
        messages.error(request, "There is no such copy.")
        return
    try:
        backup_copies.accept_removal(copy, actor=operator(request))
    except errors.BrokerError:
        messages.error(request, "This copy is just being made, or has gone already.")
    else:
        messages.success(request, "The copy goes within a minute.")
