"""Whole transactions again, where the database asks for that (FAILURES F118).

Of two transactions that wait for each other, it undoes one; a server that is about to
restart ends all of them. Nothing of an undone one has happened, so that it can simply
be made again, from its beginning.
"""

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error, InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
TRIES = 6
"""One, and five more."""
LIMIT_S = 20.0
"""No further try is begun after so long: somebody waits for the answer."""
_UNDONE_NUMBERS = {1205, 1213}
"""MySQL: waited too long for a lock; deadlock."""
_UNDONE_STATES = {"40001", "40P01", "55P03"}
"""PostgreSQL: serialization failure; deadlock; waited too long for a lock."""
_LOST_NUMBERS = {
    *(0, 1053, 1077, 1079, 1080, 1158, 1159, 1160, 1161, 1927, 2006, 2013),
    *(2002, 2003),
}
"""The last two: nobody listens, as long as the server starts again."""
RESTART_PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0)
"""A server that starts again takes some seconds, and a request may take 25."""
_LOST_STATES = {"57P01", "57P02", "57P05", "25P03"}


def is_undone(error: BaseException) -> bool:
    """Whether the database has undone the transaction for another's sake."""
    return isinstance(error, OperationalError) and (
        _number(error) in _UNDONE_NUMBERS
        or _state(error) in _UNDONE_STATES
        # SQLite: somebody has had the file for longer than its time-out.
        or "database is locked" in str(error)
    )


def is_lost(error: BaseException) -> bool:
    """Whether the connection has ended: a commit may have happened, or not."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = _state(error)
    if connection.vendor == "postgresql":
        # libpq knows no code for a line that is cut.
        return state in _LOST_STATES or (not state and _is_closed())
    return _number(error) in _LOST_NUMBERS


def is_passing(error: BaseException) -> bool:
    """Whether the same again, from its beginning, may well succeed."""
    return is_undone(error) or is_lost(error)


def repeated(transaction: Callable[P, T]) -> Callable[P, T]:
    """Make the function again while the database undoes its transaction.

    It must hold the whole transaction. Inside another one it is not made again: what
    came before it is undone as well.
    """

    @functools.wraps(transaction)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.in_atomic_block:
            return transaction(*args, **kwargs)
        for pause in pauses():
            try:
                return transaction(*args, **kwargs)
            except OperationalError as error:
                if not is_undone(error):
                    raise
                pause(error)
        return transaction(*args, **kwargs)

    return run


def pauses() -> list[Callable[[Error], None]]:
    """What to do between one try and the next: five times, or for some seconds."""
    began_at = time.monotonic()

    def pause(number: int, error: Error) -> None:
        if time.monotonic() - began_at > LIMIT_S:
            raise error
        logger.warning("database: try %s is undone: %s", number, error)
        if is_lost(error):
            return time.sleep(RESTART_PAUSES_S[number - 1])
        # Not both at the same moment again.
        time.sleep(random.uniform(0.005, 0.02) * 2**number)  # noqa: S311

    return [functools.partial(pause, number) for number in range(1, TRIES)]


def _number(error: BaseException) -> int | None:
    """As MySQL counts errors; its driver gives it first."""
    number = error.args[0] if error.args else None
    is_number = isinstance(number, int) and connection.vendor == "mysql"
    return number if is_number else None


def _state(error: BaseException) -> str:
    """SQLSTATE, which psycopg gives with the error that Django wraps."""
    return str(getattr(error.__cause__, "sqlstate", None) or "")


def _is_closed() -> bool:
    line = connection.connection
    return line is None or bool(getattr(line, "closed", False))
