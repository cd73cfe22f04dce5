"""Drift: what a container has become, beside what its row says. Empty: the same."""

from instances.containers import ContainerStatus
from instances.models import Container

CLOSE = 0.005
"""A row has two digits of a CPU."""


def port(row: Container, status: ContainerStatus) -> str:
    """Docker tells it only of one that runs."""
    if not status.is_running or row.port is None or row.port in status.ports:
        return ""
    found = ", ".join(map(str, status.ports)) or "none"
    return f"port: {found} and not {row.port}"


def image(row: Container, status: ContainerStatus) -> str:
    """Where a name has moved on to a newer image, Docker says an id (FAILURES F47)."""
    is_id = status.image_id.removeprefix("sha256:").startswith(
        status.image.removeprefix("sha256:")
    )
    if status.image == row.image or (is_id and status.image_id):
        return ""
    return f"image: {status.image} and not {row.image}"


def limits(row: Container, status: ContainerStatus | None, *, restarts: bool) -> str:
    """Of one that was looked at closely."""
    if status is None or status.limits is None:
        return ""
    found = status.limits
    differences = []
    if found.memory_mb != row.memory_mb:
        differences.append(f"{found.memory_mb} MiB and not {row.memory_mb}")
    if abs(found.cpus - float(row.cpus)) > CLOSE:
        differences.append(f"{found.cpus:g} CPUs and not {float(row.cpus):g}")
    if found.pids != row.pids:
        differences.append(f"{found.pids} processes and not {row.pids}")
    if restarts and not found.restarts:
        differences.append("Docker does not start it again")
    return "; ".join(differences)
