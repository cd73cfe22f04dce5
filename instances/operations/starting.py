"""Start a container and wait for its database: for whoever needs one.

The caller says what it is and whether it may go on: `step(text)` and `check()` raise
Stopped if not, and `fenced()` is a transaction that only commits if it still may.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from instances import errors
from instances.engines import get_engine
from instances.models import Container, DockerHost, PortLease
from instances.models.port_lease import STRANGER_REST
from instances.operations import evidence, hosts

READY_LIMIT_S = 60.0
"""How long a database may take from start to its first login."""
POLL_S = 0.01
PORT_TRIES = 3
LOG_LINES = 20

Step = Callable[[str], None]
Fenced = Callable[[], AbstractContextManager[None]]


def start(
    container: Container,
    *,
    step: Step,
    fenced: Fenced,
    fill: Callable[[Container], None] = lambda created: None,
) -> None:
    """Create, fill and start it, on another port if a stranger has the first one.

    Raise HostUnreachable, ImageMissing, ContainerFailed, NoCapacity, or PortTaken
    after some ports.
    """
    host = hosts.connect(container.host)
    for _ in range(PORT_TRIES):
        step(f"creating the container on {container.host}, port {container.port}")
        host.create(hosts.spec(container))
        fill(container)
        step("starting the container")
        try:
            return host.start(container.name)
        except errors.PortTaken as error:
            step(f"port {container.port} is taken: choosing another one")
            host.remove(container.name)
            _change_port(container, fenced)
            last_error = error
    raise last_error


def _change_port(container: Container, fenced: Fenced) -> None:
    with fenced():
        locked = DockerHost.objects.select_for_update().get(pk=container.host_id)
        lease = container.lease
        lease.release(rest=STRANGER_REST, reason="held by another program")
        container.lease = PortLease.objects.reserve(container, locked)


def wait_until_ready(
    container: Container,
    *,
    step: Step,
    check: Callable[[], None],
    limit_s: float = READY_LIMIT_S,
) -> None:
    """Wait for a login: that the port accepts proves nothing, docker-proxy does.

    Raise ContainerFailed with the log's last lines if it exits or takes too long.
    """
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    step("waiting for the first login")
    looked_at = started_at = time.monotonic()
    while True:
        try:
            return engine.check(endpoint)
        except errors.EngineUnreachable as error:
            if time.monotonic() - started_at > limit_s:
                raise _failure(container, error.detail) from None
        if time.monotonic() - looked_at > 1:
            looked_at = time.monotonic()
            check()
            _refuse_dead(container)
        time.sleep(POLL_S)


def _refuse_dead(container: Container) -> None:
    """Raise ContainerFailed if it has exited, or restarts over and over."""
    status = hosts.connect(container.host).find(container.name)
    if status is None:
        raise _failure(container, "it is not there any more")
    if not status.is_running and status.exit_code:
        reason = f"{status.state}, exit code {status.exit_code}"
        memory = ", out of memory" if status.out_of_memory else ""
        raise _failure(container, reason + memory)


def _failure(container: Container, reason: str) -> errors.ContainerFailed:
    said = hosts.connect(container.host).logs(container.name, lines=LOG_LINES)
    log = evidence.redacted(container, said)
    return errors.ContainerFailed(
        detail=f"{container} on {container.host}: {reason}. Its last lines:\n{log}"
    )
