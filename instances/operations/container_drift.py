"""Where a container is not as its row says: somebody else has had a hand in it."""

from collections.abc import Iterator

from instances import errors
from instances.containers import ContainerDetails
from instances.engines import get_engine
from instances.models import Container
from instances.operations import hosts

TIMEOUT_S = 3


def drift_of(container: Container) -> list[str]:
    """A sentence for each difference, after a look at its host.

    Raise HostUnreachable, ContainerFailed if its row does not say what it should be.
    """
    details = hosts.connect(container.host, timeout_s=TIMEOUT_S).details(container.name)
    if details is None:
        return [f"{container.host} has no container {container.name}."]
    return list(differences(container, details))


def differences(container: Container, details: ContainerDetails) -> Iterator[str]:
    spec = hosts.spec(container)
    if spec.image not in (details.image, details.image_id):
        yield f"Its image is {details.image}; the row says {spec.image}."
    for name, limit, wanted in (
        ("memory (MiB)", details.memory_mb, spec.memory_mb),
        ("CPUs", round(details.cpus, 2), round(spec.cpus, 2)),
        ("processes", details.pids, spec.pids),
    ):
        if limit != wanted:
            yield f"Its limit of {name} is {limit or 'none'}; the row says {wanted}."
    says = f"{spec.publish_address}:{spec.publish_port} → {spec.port}"
    has = ", ".join(f"{address}:{port} → {to}" for address, port, to in details.ports)
    if has != says:
        yield f"It publishes {has or 'no port'}; the row says {says}."
    if not details.restarts and container.disk_state != container.DiskState.STOPPED:
        yield "Docker does not start it again after a restart of the host."
    yield from _mounted(container, details)


def _mounted(container: Container, details: ContainerDetails) -> Iterator[str]:
    """A backup would leave out what is not in the container's own layer."""
    try:
        data_path = get_engine(container.engine).data_path
    except errors.InvalidRequest:
        return
    for mount in details.mounts:
        is_over = data_path and f"{data_path}/".startswith(f"{mount.rstrip('/')}/")
        if is_over:
            yield f"A mount at {mount} covers its data: backups would be empty."
