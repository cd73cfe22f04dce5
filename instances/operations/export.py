"""Export: a backup's data as a plain dump, so that it can leave this product.

It is written in a throw-away container that nothing reaches, and only sent once it is
whole: what fails is a sentence, never half a file.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

from instances import errors
from instances.containers.tar_stream import first_file
from instances.engines.base import our_name
from instances.engines.exports import PATH, Export, find_export
from instances.models import Actor, AuditEvent, Backup, Container
from instances.models.backup import Trigger
from instances.operations import backup_places, hosts, proof
from instances.operations.download import check as check_backup
from instances.operations.transfers import Slot, prolonging

logger = logging.getLogger(__name__)

LIMIT_S = 3600.0
POLL_S = 0.1
LOG_LINES = 20


def check(backup: Backup) -> Export:
    """How it is done. Raise InvalidRequest."""
    check_backup(backup)
    if backup.trigger == Trigger.UPLOAD:
        # Nothing of an image that was uploaded is run.
        raise errors.InvalidRequest(
            "backup: it was uploaded: restore it, and export a backup of that."
        )
    found = find_export(backup.engine)
    if found is None:
        raise errors.InvalidRequest(
            f"backup: how to dump the data of engine {backup.engine} is not known."
        )
    return found


def is_possible(backup: Backup) -> bool:
    try:
        check(backup)
    except errors.InvalidRequest:
        return False
    return True


def accept(backup: Backup, *, actor: Actor) -> "Dump":
    """Return once the dump is whole, which takes a while for large data.

    Raise InvalidRequest, TransfersBusy, ContainerFailed, HostUnreachable.
    """
    how = check(backup)
    with ExitStack() as stack:
        slot = Slot()
        stack.callback(slot.release)
        AuditEvent.record(
            actor, "export backup", backup.instance, backup=str(backup.pk)
        )
        dump = Dump(backup, how, stack)
        dump.closing = stack.pop_all()
        return dump


def file_name(backup: Backup) -> str:
    at = backup.taken_at or backup.created_at
    how = find_export(backup.engine)
    suffix = how.suffix if how else ""
    return f"{backup.engine}-data-{at:%Y%m%d-%H%M%S}-{backup.pk.hex[:8]}{suffix}"


def _wait(container: Container) -> None:
    """Until the dump is whole. Raise ContainerFailed."""
    host = hosts.connect(container.host)
    deadline = time.monotonic() + LIMIT_S
    while (status := host.find(container.name)) and status.is_running:
        if time.monotonic() > deadline:
            raise errors.ContainerFailed(detail="the dump did not end in time")
        time.sleep(POLL_S)
    if status is None or status.exit_code:
        log = host.logs(container.name, lines=LOG_LINES)
        raise errors.ContainerFailed(
            "The data could not be dumped.", detail=f"Its last lines:\n{log}"
        )


class Dump:
    """The file's pieces, once; close() it in any case."""

    closing: ExitStack

    def __init__(self, backup: Backup, how: Export, stack: ExitStack) -> None:
        self._backup = backup
        source = backup_places.holder(backup)
        container = stack.enter_context(proof.scratch(backup, source))
        stack.enter_context(prolonging(container.prolong))
        host = hosts.connect(source)
        entrypoint = how.entrypoint()
        spec = hosts.script_spec(container, entrypoint, our_name(backup.database))
        host.create(spec)
        host.start(container.name)
        _wait(container)
        chunks = stack.enter_context(closing(host.read_archive(container.name, PATH)))
        self.length, self._pieces = first_file(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Whoever reads may go away at any time: the container goes then."""
        try:
            self.closing.close()
        except errors.BrokerError as error:
            # Its row says that it is to go: reconciliation sees to that.
            logger.warning("backup=%s export: %s", self._backup.pk, error.detail)
