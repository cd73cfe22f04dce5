"""What an update has changed inside an engine, noted first so that it can be undone.

A parameter that an instance never had still has a value in the engine: its row cannot
tell which.
"""

from collections.abc import Mapping
from typing import Any

from instances.engines import get_engine
from instances.models import Container, Operation
from instances.operations import hosts
from instances.operations.starting import wait_until_ready
from instances.operations.work import Work

NOTED = "former_settings"
ANSWER_LIMIT_S = 10.0
"""How long an engine may take to answer once it has its former limits again."""


def note(work: Work, container: Container, wanted: Mapping[str, Any]) -> None:
    """Record what is to be changed, unless an earlier attempt has. Raise LeaseLost."""
    operation = work.operation
    if NOTED in operation.request:
        return
    former = get_engine(container.engine).former_settings(
        hosts.endpoint(container), operation.instance.database, wanted
    )
    operation.request = {**operation.request, NOTED: former}
    operation.write(request=operation.request)


def put_back(operation: Operation, container: Container) -> bool:
    """Undo what a failed update may have changed; whether that takes a restart."""
    if operation.state != Operation.State.FAILED or NOTED not in operation.request:
        return False
    wait(container, limit_s=ANSWER_LIMIT_S)
    return get_engine(container.engine).restore_settings(
        hosts.endpoint(container),
        operation.instance.database,
        operation.request[NOTED],
    )


def restart(container: Container) -> None:
    """Raise ContainerFailed, HostUnreachable."""
    hosts.connect(container.host).restart(container.name)
    wait(container)


def wait(container: Container, **limit: float) -> None:
    """For an operation that has ended: it has no steps and no lease any more."""
    wait_until_ready(container, step=lambda text: None, check=lambda: None, **limit)
