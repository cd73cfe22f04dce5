"""Evidence: what a container said before it was removed, without its secrets."""

import logging

from instances import errors
from instances.containers import ContainerStatus
from instances.models import Container, Evidence, Operation
from instances.operations import hosts
from instances.redaction import redactor

logger = logging.getLogger(__name__)

LINES = 200
LONGEST = 100_000
"""Characters: a database may write lines of any length."""


def keep(operation: Operation, container: Container) -> None:
    """Look at it before it goes. A host that does not answer has nothing to say."""
    try:
        host = hosts.connect(container.host)
        status = host.find(container.name)
        if status is None:
            return
        log = host.logs(container.name, lines=LINES)
    except errors.HostUnreachable as error:
        logger.info("operation=%s has no evidence: %s", operation.pk, error.detail)
        return
    text = f"{_summary(container, status)}\n\nThe last lines of its log:\n{log}"
    Evidence.objects.update_or_create(
        operation=operation, defaults={"text": redacted(container, text)[-LONGEST:]}
    )


def redacted(container: Container, text: str) -> str:
    """Without what is known to be secret, nor what looks like it."""
    return redactor([container.admin_secret])(text)


def _summary(container: Container, status: ContainerStatus) -> str:
    """No environment and no command: an operator's template may put a secret there."""
    facts = {
        "container": f"{container.name} on {container.host}",
        "state": status.state,
        "exit code": status.exit_code,
        "out of memory": "yes" if status.out_of_memory else "no",
        "image": f"{status.image} ({status.image_id or 'id not known'})",
        "created": status.created_at,
        "started": status.started_at or "never",
        "ports": ", ".join(map(str, status.ports)) or "none",
        "mounts": ", ".join(status.mounts) or "none",
    }
    if status.limits is not None:
        given = status.limits
        facts["limits"] = (
            f"{given.memory_mb} MiB, {given.cpus:g} CPUs, {given.pids} processes"
        )
    return "\n".join(f"{name}: {value}" for name, value in facts.items())
