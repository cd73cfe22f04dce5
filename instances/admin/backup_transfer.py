"""A backup off its host: as a file, as a dump, or in another place."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.http import content_disposition_header

from instances import errors
from instances.admin import backup_copies
from instances.admin import backup_display as display
from instances.admin.base import ReadOnlyAdmin, Tool, asks
from instances.admin.chosen import confirmation, load, operator
from instances.admin.html import change_url, mebibytes
from instances.models import Backup
from instances.operations import download, export

URL_NAME = "instances_backup_off_host"
TEMPLATE = "admin/instances/backup_off_host.html"
View = Callable[..., HttpResponseBase]


class Transfers(ReadOnlyAdmin):
    """The part of the backups' console that lets them out."""

    def get_urls(self) -> list[Any]:
        views: dict[str, View] = {
            "off_host": self.off_host_view,
            "download": self.download_view,
            "checksum": self.checksum_view,
            "export": self.export_view,
            "copy": self.copy_view,
            "remove_copy": self.remove_copy_view,
        }
        return [
            path(
                f"<uuid:pk>/{name.replace('_', '-')}/",
                self.admin_site.admin_view(view),
                name=f"instances_backup_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    has_copy_permission = asks("copy")
    has_download_permission = asks("download")

    def has_off_host_permission(self, request: HttpRequest) -> bool:
        """For the page of all that: each of its buttons asks for its own."""
        is_copying = self.has_copy_permission(request)
        return is_copying or self.has_download_permission(request)

    def transfer_tools(self, request: HttpRequest, row: Backup) -> list[Tool]:
        if row.state != Backup.State.VERIFIED:
            return []
        if not self.has_off_host_permission(request):
            return []
        return [Tool(reverse(f"admin:{URL_NAME}", args=[row.pk]), "Off the host…")]

    def off_host_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What there is to do with it, and with how much."""
        backup = self._allowed(request, pk, self.has_off_host_permission)
        try:
            download.check(backup)
        except errors.InvalidRequest as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(change_url(backup))
        return confirmation(
            request,
            self,
            TEMPLATE,
            load([backup.instance_id]),
            title="Off the host",
            may_copy=self.has_copy_permission(request),
            may_download=self.has_download_permission(request),
            backup=backup,
            back_url=change_url(backup),
            taken_at=display.taken_at(backup),
            size=mebibytes(backup.size_bytes),
            file_name=download.file_name(backup),
            is_known=download.is_known(backup),
            copies=backup_copies.listing(backup),
            headers=backup_copies.HEADERS,
            copy_form=backup_copies.CopyForm(None, backup),
            can_export=export.is_possible(backup),
            dump_name=export.file_name(backup),
            file_size=mebibytes(backup.archive_bytes),
        )

    def download_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        backup = self._allowed(request, pk, self.has_download_permission, method="POST")
        try:
            found = download.accept(backup, actor=operator(request))
        except errors.BrokerError as error:
            return self._refused(request, backup, error)
        response = StreamingHttpResponse(found, content_type="application/gzip")
        if found.length is not None:
            response["Content-Length"] = str(found.length)
        return as_file(response, download.file_name(backup))

    def checksum_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """As sha256sum --check reads it."""
        backup = self._allowed(request, pk, self.has_download_permission)
        if not download.is_known(backup):
            raise Http404
        name = download.file_name(backup)
        response = HttpResponse(
            f"{backup.archive_sha256}  {name}\n", content_type="text/plain"
        )
        return as_file(response, f"{name}.sha256")

    def export_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        backup = self._allowed(request, pk, self.has_download_permission, method="POST")
        try:
            dump = export.accept(backup, actor=operator(request))
        except errors.BrokerError as error:
            return self._refused(request, backup, error)
        response = StreamingHttpResponse(
            dump, content_type=export.check(backup).media_type
        )
        response["Content-Length"] = str(dump.length)
        return as_file(response, export.file_name(backup))

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        backup = self._allowed(request, pk, self.has_copy_permission, method="POST")
        backup_copies.make(request, backup)
        return self._back(backup)

    def remove_copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        backup = self._allowed(request, pk, self.has_copy_permission, method="POST")
        backup_copies.remove(request, backup)
        return self._back(backup)

    def _back(self, backup: Backup) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse(f"admin:{URL_NAME}", args=[backup.pk]))

    def _allowed(
        self,
        request: HttpRequest,
        pk: uuid.UUID,
        is_allowed: Callable[[HttpRequest], bool],
        *,
        method: str = "",
    ) -> Backup:
        """Raise PermissionDenied or Http404. What is heavy is not done by a GET."""
        if not is_allowed(request):
            raise PermissionDenied
        backup: Backup | None = self.get_queryset(request).filter(pk=pk).first()
        if backup is None or method not in ("", request.method):
            raise Http404
        return backup

    def _refused(
        self, request: HttpRequest, backup: Backup, error: errors.BrokerError
    ) -> HttpResponseRedirect:
        messages.error(request, " ".join(dict.fromkeys((str(error), error.detail))))
        return self._back(backup)


def as_file(response: HttpResponseBase, name: str) -> HttpResponseBase:
    disposition = content_disposition_header(True, name)
    assert disposition is not None  # noqa: S101
    response["Content-Disposition"] = disposition
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
