"""Ports as they are from outside: after a crash Docker may say otherwise (F132).

It may keep a port for a container that has gone: whoever gets that next would try in
vain. And it may have lost its proxy of a container that runs: nobody can log in then.
"""

import errno
import itertools
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from instances.models import Container, DockerHost, PortLease

MOST_RESTING = 500
"""Those whose rest is over are here until the next lease; it may be of one of them."""
AT_ONCE = 100
"""Connections that are tried side by side."""
ANSWER_LIMIT_S = 0.5
"""For so many; where nobody listens, that is said at once."""


@dataclass
class Knocked:
    """What came of knocking; of the others nothing was heard."""

    answering: set[int] = field(default_factory=set)
    refusing: set[int] = field(default_factory=set)


def kept(host: DockerHost) -> list[PortLease]:
    """Those of the host that rest, and where it is not said that nobody listens.

    Docker passes what comes there on to an address inside: another container has got
    that, or nobody, and there is no answer. A host that says so of no port at all, as
    behind a firewall, is believed to be as it should.
    """
    rows = PortLease.objects.filter(host=host, container=None)
    resting = list(rows.order_by("-resting_until")[:MOST_RESTING])
    if not resting:
        return []
    numbers = [lease.number for lease in resting]
    found = knock(host, [*numbers, *_never_leased(host)])
    return [
        lease
        for lease in resting
        if lease.number in found.answering
        or (found.refusing and lease.number not in found.refusing)
    ]


def refusing(host: DockerHost, rows: Iterable[Container]) -> list[str]:
    """The names of those on whose ports nobody listens; silence says nothing."""
    names = {row.port: row.name for row in rows if row.port is not None}
    found = knock(host, names) if names else Knocked()
    return [names[number] for number in sorted(found.refusing)]


def _never_leased(host: DockerHost) -> list[int]:
    """One to compare with: of a free port, a host says that nobody listens."""
    taken = set(PortLease.objects.filter(host=host).values_list("number", flat=True))
    numbers = range(host.port_max, host.port_min - 1, -1)
    free = (number for number in numbers if number not in taken)
    return list(itertools.islice(free, 1))


def knock(host: DockerHost, numbers: Iterable[int]) -> Knocked:
    """Whether connections are taken there, as an app would make them."""
    found, asked = Knocked(), list(numbers)
    try:
        place = socket.getaddrinfo(host.database_host, None, type=socket.SOCK_STREAM)[0]
    except OSError:
        return found
    family, address = place[0], str(place[4][0])
    for start in range(0, len(asked), AT_ONCE):
        for number, code in _codes(family, address, asked[start : start + AT_ONCE]):
            if code == 0:
                found.answering.add(number)
            elif code == errno.ECONNREFUSED:
                found.refusing.add(number)
    return found


def _codes(family: int, address: str, numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The port and what connecting came to: 0, or an error's number."""
    ends_at = time.monotonic() + ANSWER_LIMIT_S
    lines: dict[socket.socket, int] = {}
    with selectors.DefaultSelector() as selector:
        try:
            for number in numbers:
                line = socket.socket(family, socket.SOCK_STREAM)
                lines[line] = number
                line.setblocking(False)
                code = line.connect_ex((address, number))
                if code in (0, errno.EINPROGRESS):
                    selector.register(line, selectors.EVENT_WRITE)
                else:
                    yield number, code
            while selector.get_map() and (left := ends_at - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    selector.unregister(ready)
                    code = ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    yield lines[ready], code
        finally:
            for line in lines:
                line.close()
