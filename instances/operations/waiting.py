"""Wait a little for what excludes a bind or an unbind, then say so."""

import time
from collections.abc import Callable
from typing import TypeVar

from instances import errors, transactions

T = TypeVar("T")
PATIENCE_S = 5.0
POLL_S = 0.05


def until_free(attempt: Callable[[], T]) -> T:
    """Repeat the attempt while it raises ConcurrencyError, for a few seconds.

    One push of many apps binds them all at once: each waits for its turn rather
    than failing.
    """
    attempt = transactions.repeated(attempt)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return attempt()
        except errors.ConcurrencyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)
