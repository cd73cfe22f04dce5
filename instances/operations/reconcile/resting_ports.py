"""Resting ports: whether anything answers there (FAILURES F132).

After a crash Docker may keep a port for a container that has gone, until its daemon is
restarted. Whoever gets such a port would have to try in vain, and what answers there
is not what the row says.
"""

import socket
import time

from instances.models import DockerHost, PortLease

MOST = 32
LIMIT_S = 1.0
"""For all of a host; where nobody listens, most systems say so at once."""
ANSWER_LIMIT_S = 0.3


def answering(host: DockerHost) -> list[PortLease]:
    """Those of the host that rest, and take a connection; at most MOST are asked."""
    resting = PortLease.objects.filter(host=host, container=None)
    found, began = [], time.monotonic()
    for lease in resting.order_by("-resting_until")[:MOST]:
        if time.monotonic() - began > LIMIT_S:
            break
        if answers(host, lease.number):
            found.append(lease)
    return found


def answers(host: DockerHost, port: int) -> bool:
    """Whether a connection is taken there, as an app would make one."""
    try:
        socket.create_connection((host.database_host, port), ANSWER_LIMIT_S).close()
    except OSError:
        return False
    return True
