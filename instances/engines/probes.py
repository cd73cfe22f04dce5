"""Whether a server answers whose protocol is not known: every look has a deadline.

Between the broker and the container there may be docker-proxy, which accepts whether or
not the server listens, and closes at once if it does not (FACTS §2).
"""

import http.client
import socket

from instances import errors
from instances.engines.base import Endpoint, hung_up_after

CONNECT_LIMIT_S = 2.0
STAYS_OPEN_S = 0.5
"""A connection that is open for so long has a server at its other end.

Only once Docker has said that the container is started: before, docker-proxy waits for
the container's network, and keeps what it has accepted open meanwhile.
"""
ANSWER_LIMIT_S = 5.0


def look_at_tcp(endpoint: Endpoint) -> None:
    """Raise EngineUnreachable unless a connection is answered or stays open."""
    address = endpoint.host, endpoint.port
    try:
        with socket.create_connection(address, timeout=CONNECT_LIMIT_S) as line:
            line.settimeout(STAYS_OPEN_S)
            is_closed = _is_closed(line)
    except OSError as error:
        raise _unreachable(endpoint, str(error)) from error
    if is_closed:
        raise _unreachable(endpoint, "connections are closed at once")


def _is_closed(line: socket.socket) -> bool:
    """Whether the other end hangs up. Its silence is as good as a greeting."""
    try:
        return line.recv(1) == b""
    except TimeoutError:
        return False


def look_at_http(endpoint: Endpoint, *, path: str, status: int) -> None:
    """Raise EngineUnreachable unless a GET of the path is answered with the status.

    No redirect is followed and no proxy asked; of the answer only the head is read.
    """
    address = endpoint.host, endpoint.port
    connection = http.client.HTTPConnection(*address, timeout=CONNECT_LIMIT_S)
    try:
        connection.connect()
        with hung_up_after(connection.sock.fileno(), ANSWER_LIMIT_S):
            connection.request("GET", path, headers={"User-Agent": "brokersite"})
            found = connection.getresponse().status
    except (http.client.HTTPException, OSError) as error:
        raise _unreachable(endpoint, repr(error)) from error
    finally:
        connection.close()
    if found != status:
        raise _unreachable(endpoint, f"{path} answers {found}, not {status}")


def _unreachable(endpoint: Endpoint, reason: str) -> errors.EngineUnreachable:
    return errors.EngineUnreachable(
        detail=f"The server at {endpoint.host}:{endpoint.port}: {reason}"
    )
