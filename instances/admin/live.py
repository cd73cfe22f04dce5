"""What the Docker host says about a container at this moment."""

from instances import errors
from instances.admin.base import Section
from instances.admin.html import badge, moment
from instances.models import Container
from instances.operations import hosts

TIMEOUT_S = 3
LOG_LINES = 50
LONGEST_LOG = 20_000
"""Characters: a database may write lines of any length."""


def live(container: Container | None) -> Section:
    """Ask the host. One that does not answer is told of, never raised."""
    content: dict[str, object] = {}
    if container is None:
        content["absence"] = "There is no container."
    elif container.state == Container.State.GONE:
        content["absence"] = "The container has been removed from its host."
    else:
        try:
            content = _ask(container)
        except errors.BrokerError as error:
            content["problem"] = str(error)
            content["detail"] = error.detail
    return Section("Live from Docker", "admin/instances/section_live.html", content)


def _ask(container: Container) -> dict[str, object]:
    """Raise HostUnreachable."""
    host = hosts.connect(container.host, timeout_s=TIMEOUT_S)
    status = host.find(container.name)
    if status is None:
        return {"absence": f"Docker on {container.host} has no such container."}
    tone = "good" if status.is_running else ""
    exit_code = None if status.is_running else status.exit_code
    facts = [
        ("State", badge(status.state, tone=tone)),
        ("Started at (UTC)", moment(status.started_at)),
        ("Exit code", exit_code),
        ("Killed for lack of memory", "yes" if status.out_of_memory else "no"),
        ("Image", status.image),
    ]
    log = host.logs(container.name, lines=LOG_LINES)
    return {"facts": facts, "log": log[-LONGEST_LOG:], "log_lines": LOG_LINES}
