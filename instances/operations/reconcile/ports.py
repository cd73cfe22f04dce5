"""Ports as they are from outside: after a crash Docker may say otherwise (F132).

It may keep a port for a container that has gone: whoever gets that next would try in
vain. And it may have lost its proxy of a container that runs: nobody can log in then.
"""

import socket
import time
from collections.abc import Iterable

from instances.models import Container, DockerHost, PortLease

MOST_RESTING = 500
"""Those whose rest is over are here until the next lease; it may be of one of them."""
LIMIT_S = 1.0
"""For all of a host and each question; where nobody listens, that is said at once."""
ANSWER_LIMIT_S = 0.3


def answering(host: DockerHost) -> list[PortLease]:
    """Those that rest and take a connection, of the host's last MOST_RESTING."""
    resting = PortLease.objects.filter(host=host, container=None)
    found, began = [], time.monotonic()
    for lease in resting.order_by("-resting_until")[:MOST_RESTING]:
        if time.monotonic() - began > LIMIT_S:
            break
        if answers(host, lease.number):
            found.append(lease)
    return found


def refusing(rows: Iterable[Container]) -> list[str]:
    """The names of those on whose ports nobody listens; a time-out says nothing."""
    found, began = [], time.monotonic()
    for row in rows:
        if time.monotonic() - began > LIMIT_S:
            break
        if row.port is not None and refuses(row.host, row.port):
            found.append(row.name)
    return found


def answers(host: DockerHost, port: int) -> bool:
    """Whether a connection is taken there, as an app would make one."""
    try:
        _knock(host, port)
    except OSError:
        return False
    return True


def refuses(host: DockerHost, port: int) -> bool:
    """Whether that machine says that nobody listens there."""
    try:
        _knock(host, port)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _knock(host: DockerHost, port: int) -> None:
    socket.create_connection((host.database_host, port), ANSWER_LIMIT_S).close()
