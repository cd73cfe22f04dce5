"""What an update has changed inside an engine, noted first so that it can be undone.

A parameter that an instance never had still has a value in the engine: its row cannot
tell which.
"""

from collections.abc import Mapping
from typing import Any

from instances.engines import get_engine
from instances.models import Container, Operation
from instances.operations import hosts
from instances.operations.work import Work

NOTED = "former_settings"


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
    """Undo what an update may have changed; whether that takes a restart.

    Raise EngineUnreachable.
    """
    if NOTED not in operation.request:
        return False
    return get_engine(container.engine).restore_settings(
        hosts.endpoint(container),
        operation.instance.database,
        operation.request[NOTED],
    )
