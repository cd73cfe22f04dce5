"""Upload: a file that a download has made, perhaps another broker's, as a backup.

It passes through into the Docker host of the instance's database, and what is there
afterwards is worth nothing until a proof has found the data in it. The request that
brings it holds the operation: a worker that finds it left behind can only end it.
"""

import hashlib
import hmac
import logging
import re
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from instances import containers, errors
from instances.containers import Archive, gzip_stream
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    Broker,
    Container,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.operations import back_up, backup_description, backup_images, hosts
from instances.operations.backup_description import Description
from instances.operations.transfers import Slot, kept
from instances.operations.work import Verb, Work

logger = logging.getLogger(__name__)

REPORT_S = 5.0
CHECKSUM = re.compile(r"[0-9a-f]{64}")
DAYS = 30
"""So long one is kept, if nothing else is said: the plan's retention passes it by."""


@dataclass(frozen=True)
class Wish:
    """What an operator says of the file."""

    size: int
    """In bytes, packed as it is."""
    checksum: str = ""
    """SHA-256 in lower-case hexadecimal digits; empty: it is not compared."""
    note: str = ""
    days: int = DAYS


def check(instance: ServiceInstance) -> None:
    """Raise ConcurrencyError, BackupRefused."""
    if instance.state != ServiceInstance.State.READY or instance.container_id is None:
        raise errors.ConcurrencyError(detail=f"{instance} is {instance.state}")
    if not back_up.is_possible(instance):
        raise errors.BackupRefused(
            "Nothing is known of the data in this image: no backup could be proved."
        )


def accept(
    instance: ServiceInstance, wish: Wish, *, owner: str, actor: Actor
) -> Operation:
    """Record it, claimed by whoever will bring the file.

    Raise InvalidRequest, ConcurrencyError, BackupRefused.
    """
    _check(wish)
    with transaction.atomic():
        locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        check(locked)
        AuditEvent.record(
            actor, "upload backup", instance, bytes=wish.size, checksum=wish.checksum
        )
        operation = Operation.objects.enqueue(
            Kind.UPLOAD, locked, actor=actor, owner=owner, step="taking the file in"
        )
        back_up.record(
            operation,
            trigger=Trigger.UPLOAD,
            note=wish.note,
            expires_at=timezone.now() + timedelta(days=wish.days),
        )
        return operation


def most_bytes() -> int:
    """What a file may hold, unpacked."""
    return int(settings.BACKUP_UPLOAD_LIMIT_MB) * 2**20


def _check(wish: Wish) -> None:
    if wish.checksum and not CHECKSUM.fullmatch(wish.checksum):
        raise errors.InvalidRequest(
            "checksum: give the 64 hexadecimal digits of the file's SHA-256."
        )
    if wish.size <= 0:
        raise errors.InvalidRequest("file: it is empty, or its length is not said.")
    if wish.size > most_bytes():
        raise errors.InvalidRequest(
            f"file: it has more than {most_bytes() // 2**20} MiB "
            "(BACKUP_UPLOAD_LIMIT_MB)."
        )
    if not 1 <= wish.days <= 3650:
        raise errors.InvalidRequest("days: give a number from 1 to 3650.")


def receive(
    instance: ServiceInstance,
    wish: Wish,
    chunks: Iterable[bytes],
    *,
    owner: str,
    actor: Actor,
) -> Backup:
    """Take the file in; return the backup, which is to be proved.

    Whatever goes wrong is in its row too. Raise TransfersBusy, InvalidRequest,
    ConcurrencyError, BackupRefused, ArchiveRefused, HostUnreachable, LeaseLost.
    """
    slot = Slot()
    try:
        operation = accept(instance, wish, owner=owner, actor=actor)
        work = Work(operation)
        try:
            with kept(operation):
                return _receive(work, wish, iter(chunks))
        except errors.LeaseLost:
            _clean_up(work)
            raise
        except errors.BrokerError as error:
            _give_up(work, error)
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            _give_up(work, errors.BrokerError(detail=detail))
            raise
    finally:
        slot.release()


def _receive(work: Work, wish: Wish, chunks: Iterator[bytes]) -> Backup:
    backup = work.operation.backups.select_related("host").get()
    host = hosts.connect(backup.host)
    digest = hashlib.sha256()
    archive = Archive(
        gzip_stream.unpacked(_hashed(chunks, digest)),
        backup.reference,
        labels={
            containers.BROKER_LABEL: str(Broker.this().broker_id),
            containers.BACKUP_LABEL: backup.id.hex,
        },
        on_description=partial(_describe, work, backup),
        before_end=partial(_compare, wish, digest),
        most_bytes=most_bytes(),
    )
    host.load_image(_reported(work, archive.pieces()))
    work.step("looking at the image")
    image = host.images.find(backup.reference)
    if image is None or image.id != archive.image_id:
        raise errors.ArchiveRefused("Docker has not taken the image in.")
    base = host.images.find(backup.made_from)
    with work.succeeding():
        backup.move(
            Backup.State.COMMITTED,
            only_from=(Backup.State.TAKING,),
            image_id=image.id,
            size_bytes=image.size_bytes,
            delta_bytes=max(0, image.size_bytes - (base.size_bytes if base else 0)),
            layers=image.layers,
        )
    return backup


def _describe(work: Work, backup: Backup, content: bytes) -> None:
    """Look whether it is for this instance, long before all of it is here."""
    found = backup_description.read(content)
    rows = Container.objects.defer("admin_secret")
    container = rows.get(instance=work.operation.instance)
    _check_fit(found, container)
    backup.database, backup.made_from = found.database, found.made_from
    backup.memory_mb, backup.inventory = found.memory_mb, found.inventory
    backup.taken_at = found.taken_at
    backup.origin = uuid.UUID(found.witness)
    with work.fenced():
        backup.save(
            update_fields=[
                *("database", "made_from", "memory_mb", "inventory", "taken_at"),
                "origin",
            ]
        )


def _check_fit(found: Description, container: Container) -> None:
    if found.engine != container.engine:
        raise errors.ArchiveRefused(
            f"The file is a backup of engine {found.engine}, and this service instance "
            f"is of {container.engine}."
        )
    if not 0 < found.memory_mb <= container.memory_mb:
        raise errors.ArchiveRefused(
            f"The file's database had {found.memory_mb} MiB of memory, and this "
            f"service instance has {container.memory_mb}."
        )


def _compare(wish: Wish, digest: "hashlib._Hash") -> None:
    """Before Docker is told what to make of it."""
    if wish.checksum and not hmac.compare_digest(digest.hexdigest(), wish.checksum):
        raise errors.ArchiveRefused(
            "The file's checksum is another than the one that was given.",
            detail=f"SHA-256 {digest.hexdigest()} has come and not {wish.checksum}",
        )


def _hashed(chunks: Iterator[bytes], digest: "hashlib._Hash") -> Generator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _reported(work: Work, pieces: Iterator[bytes]) -> Generator[bytes]:
    """The pieces; now and then the progress, if this attempt still may go on."""
    taken, said_at = 0, time.monotonic()
    for piece in pieces:
        taken += len(piece)
        if time.monotonic() - said_at > REPORT_S:
            said_at = time.monotonic()
            work.step(f"taken in {taken // 2**20} MiB, unpacked")
        yield piece


def _perform(work: Work) -> None:
    """Nobody brings the file any more."""
    raise errors.ArchiveRefused("The upload was broken off.")


def _give_up(work: Work, error: errors.BrokerError) -> None:
    try:
        with work.failing(error):
            back_up.abandon(work.operation, error.detail or str(error))
    finally:
        _clean_up(work)


def _clean_up(work: Work) -> None:
    """What Docker may have taken in goes; the sweep tries again if that fails."""
    for backup in work.operation.backups.filter(state=Backup.State.FAILED):
        backup_images.remove(backup, backup.reference)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=2)
