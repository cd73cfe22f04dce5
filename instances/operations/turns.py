"""Short transactions whose threads take turns, where SQLite has the rows.

A connection that finds them locked sleeps for 1, 2, 5 … 100 ms before it looks again,
which is many times longer than the transaction that it waits for. The threads of one
process hand on to each other instead, so that only processes meet in that way.

Nothing depends on a turn: who gets none in time goes on without, and the database
decides as ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

LONGEST_WAIT_S = 1.0
_turn = threading.Lock()


@contextmanager
def recording() -> Iterator[None]:
    """A transaction of a few statements; never one that waits for anything else."""
    # Inside another one, the rows are locked already.
    takes_turns = connection.vendor == "sqlite" and not connection.in_atomic_block
    is_mine = takes_turns and _turn.acquire(timeout=LONGEST_WAIT_S)
    try:
        with transaction.atomic():
            yield
    finally:
        if is_mine:
            _turn.release()
