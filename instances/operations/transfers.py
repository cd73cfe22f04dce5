"""Transfers in web processes: how many at once, and how they keep what they hold."""

import copy
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings
from django.db import DatabaseError, connection

from instances import errors
from instances.models import Operation

logger = logging.getLogger(__name__)

MOST = 2
"""Of the four threads of a process (Procfile): the platform's requests go on."""
_free = threading.BoundedSemaphore(MOST)


class Slot:
    """The right to carry one; release() may be called again."""

    def __init__(self) -> None:
        """Raise TransfersBusy if there is none left."""
        if not _free.acquire(blocking=False):
            raise errors.TransfersBusy(
                detail=f"this process carries {MOST} transfers, and no more at once"
            )
        self._is_held = True
        self._lock = threading.Lock()

    def release(self) -> None:
        with self._lock:
            if self._is_held:
                self._is_held = False
                _free.release()


def kept(operation: Operation) -> AbstractContextManager[None]:
    """Prolong its lease meanwhile, however long Docker or a browser says nothing."""
    # A copy: the request's own thread writes to the other one.
    return prolonging(copy.copy(operation).hold)


@contextmanager
def prolonging(prolong: Callable[[], None]) -> Iterator[None]:
    """Call it now and then meanwhile, from a thread of its own."""
    is_over = threading.Event()
    thread = threading.Thread(target=_keep, args=(prolong, is_over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _keep(prolong: Callable[[], None], is_over: threading.Event) -> None:
    try:
        while not is_over.wait(settings.OPERATION_LEASE_S / 3):
            try:
                prolong()
            except errors.LeaseLost:
                return  # Whoever transfers finds out at its next step.
            except DatabaseError as error:
                logger.warning("a transfer is not prolonged: %s", error)
    finally:
        connection.close()
