"""Sessions of PostgreSQL's administrator that have ended well, kept for a moment.

A login takes the server longer than creating a user does, and binds come in bursts:
after a create, and for all the apps of one push. At most one session is kept for each
server, and the server itself ends it after IDLE_LIMIT_S.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg

from instances.engines.base import Endpoint, hung_up_after
from instances.engines.postgres_session import (
    IDLE_LIMIT_S,
    MAINTENANCE,
    SESSION_LIMIT_S,
    Session,
    connect,
    translated,
)

MOST = 16
"""Servers for which one is kept."""
_idle: OrderedDict[Endpoint, tuple[psycopg.Connection, float]] = OrderedDict()
_lock = threading.Lock()


@contextmanager
def lend_session(endpoint: Endpoint) -> Iterator[Session]:
    """As open_session(), where it does not matter when the login was.

    The endpoint's secret is part of what a session is kept under: another secret means
    another server, or a login anew.
    """
    with translated(endpoint):
        connection = _find(endpoint) or connect(
            endpoint, MAINTENANCE, idle_limit_s=IDLE_LIMIT_S
        )
        try:
            with hung_up_after(connection.fileno(), SESSION_LIMIT_S):
                yield Session(connection)
        except BaseException:
            connection.close()
            raise
        _keep(endpoint, connection)


def _find(endpoint: Endpoint) -> psycopg.Connection | None:
    """The one that is kept, if its server still knows it."""
    with _lock:
        connection, since = _idle.pop(endpoint, (None, 0.0))
    if connection is None:
        return None
    try:
        if monotonic() < since + IDLE_LIMIT_S:
            with hung_up_after(connection.fileno(), SESSION_LIMIT_S):
                connection.execute("SELECT 1")
            return connection
    except (psycopg.Error, OSError):
        pass  # The server has been restarted, or another one is in its place.
    connection.close()
    return None


def _keep(endpoint: Endpoint, connection: psycopg.Connection) -> None:
    with _lock:
        superfluous = _idle.pop(endpoint, None)
        _idle[endpoint] = connection, monotonic()
        if len(_idle) > MOST:
            _, superfluous = _idle.popitem(last=False)
    if superfluous is not None:
        superfluous[0].close()
