"""Download: a verified backup as a file, which any Docker Engine would load.

It passes through in pieces, and nothing of it stays here. The first download works
the file's checksum and length out; the next ones can tell them beforehand, since the
same image makes the same file.
"""

import hashlib
import logging
import zlib
from collections.abc import Iterator

from django.db import DatabaseError

from instances import errors
from instances.containers import Archive, gzip_stream
from instances.models import Actor, AuditEvent, Backup
from instances.operations import backup_description, backup_places, hosts
from instances.operations.transfers import Slot

logger = logging.getLogger(__name__)

RECIPE = f"1 level {gzip_stream.LEVEL} zlib {zlib.ZLIB_RUNTIME_VERSION}"
"""Count the first number up when what is written changes."""


def check(backup: Backup) -> None:
    """Raise InvalidRequest if there is nothing to rely on."""
    if backup.state != Backup.State.VERIFIED:
        raise errors.InvalidRequest(
            f"backup: it is {backup.get_state_display()}, and only a verified one "
            "can leave the host."
        )


def accept(backup: Backup, *, actor: Actor) -> "Download":
    """Raise InvalidRequest, TransfersBusy, ImageMissing, HostUnreachable."""
    check(backup)
    download = Download(backup)
    try:
        AuditEvent.record(
            actor, "download backup", backup.instance, backup=str(backup.pk)
        )
    except BaseException:
        download.close()
        raise
    return download


def file_name(backup: Backup) -> str:
    """No name of a tenant's: files go from hand to hand."""
    at = backup.taken_at or backup.created_at
    return f"{backup.engine}-backup-{at:%Y%m%d-%H%M%S}-{backup.pk.hex[:8]}.tar.gz"


def is_known(backup: Backup) -> bool:
    """Whether the file's checksum and length are those of the next download."""
    return bool(backup.archive_sha256) and backup.archive_recipe == RECIPE


class Download:
    """The file's pieces, once; close() it in any case."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup
        self._slot = Slot()
        try:
            host = hosts.connect(backup_places.holder(backup))
            self._saved = host.save_image(backup.reference)
            archive = Archive(
                self._saved,
                backup.reference,
                image_id=backup.image_id,
                description=backup_description.of(backup),
            )
            self._made = archive.pieces()
            self._packed = gzip_stream.packed(self._made)
            self._sum, self._size = hashlib.sha256(), 0
            # What fails at once is said in a page, not in half a file.
            self._first: bytes | None = next(self._packed)
        except BaseException:
            self._slot.release()
            raise

    @property
    def length(self) -> int | None:
        return self._backup.archive_bytes if is_known(self._backup) else None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first, None
        if piece is None:
            piece = next(self._packed, None)
        if piece is None:
            self._note()
            self.close()
            raise StopIteration
        self._sum.update(piece)
        self._size += len(piece)
        return piece

    def _note(self) -> None:
        checksum = self._sum.hexdigest()
        if is_known(self._backup) and checksum != self._backup.archive_sha256:
            logger.error("backup=%s: its file has changed", self._backup.pk)
        try:
            Backup.objects.filter(pk=self._backup.pk).update(
                archive_sha256=checksum, archive_bytes=self._size, archive_recipe=RECIPE
            )
        except DatabaseError as error:
            # The file is whole: that nobody can look its checksum up is no reason
            # to tell the browser otherwise.
            logger.warning("backup=%s: no checksum: %s", self._backup.pk, error)
        logger.info("backup=%s was downloaded, %s bytes", self._backup.pk, self._size)

    def close(self) -> None:
        """Whoever reads may go away at any time: Docker's work ends then."""
        try:
            for stream in (self._packed, self._made, self._saved):
                stream.close()
        finally:
            self._slot.release()
