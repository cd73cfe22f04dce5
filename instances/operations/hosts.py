"""A container's host and its database, reached through the row."""

from dataclasses import replace

from instances import containers, errors
from instances.containers import Access, ContainerHost, ContainerSpec
from instances.engines import Configurable, Endpoint, Startup, get_engine
from instances.models import Broker, Container, DockerHost

SHORT_S = 10
"""For calls that only look: in all, however they are answered (FAILURES F33)."""


def connect(host: DockerHost, *, timeout_s: int = SHORT_S) -> ContainerHost:
    """Raise WrongEngine for a host where another engine answers (FAILURES F44)."""
    if host.is_quarantined:
        raise errors.WrongEngine(found=host.other_engine_id, known=host.engine_id)
    return containers.connect(access(host), timeout_s=timeout_s)


def access(host: DockerHost) -> Access:
    return Access(
        url=host.url,
        tls_ca=host.tls_ca,
        tls_certificate=host.tls_certificate,
        tls_key=host.tls_key,
        ssh_key=host.ssh_key,
        ssh_host_key=host.ssh_host_key,
        engine_id=host.engine_id,
    )


def note_failure(host: DockerHost, error: errors.HostUnreachable) -> None:
    """Write it to the row; another engine than the known one ends all work there."""
    if isinstance(error, errors.WrongEngine):
        host.quarantine(error.found)
    host.note_contact(error.detail)


def endpoint(container: Container) -> Endpoint:
    """Where its database answers. Raise EngineUnreachable if it has no port."""
    if container.port is None:
        raise errors.EngineUnreachable(detail=f"{container} has no port any more")
    return Endpoint(
        host=container.host.database_host,
        port=container.port,
        admin_secret=container.admin_secret,
        settings=container.settings,
    )


def spec(container: Container) -> ContainerSpec:
    """The container as it is to be: from its own row, not from today's plan."""
    if container.port is None:
        raise errors.ContainerFailed(detail=f"{container} has no port")
    return _spec(container)


def proof_spec(container: Container, question: str) -> ContainerSpec:
    """The container of a proof: it answers the question, and ends."""
    spec = unreachable_spec(container)
    return replace(spec, environment={**spec.environment, "PROVE": question})


def script_spec(
    container: Container, entrypoint: tuple[str, ...], argument: str
) -> ContainerSpec:
    """A throw-away container that runs a script instead of the image's entrypoint."""
    spec = unreachable_spec(container)
    return replace(spec, entrypoint=entrypoint, command=(argument,))


def unreachable_spec(container: Container) -> ContainerSpec:
    """A throw-away container: no port, no network, and never started twice."""
    spec = _spec(container)
    labels = {**spec.labels, containers.SCRATCH_LABEL: "1"}
    return replace(spec, publish_port=None, restarts=False, labels=labels)


def _spec(container: Container) -> ContainerSpec:
    startup = _startup(container)
    return ContainerSpec(
        name=container.name,
        image=container.image,
        command=startup.command,
        environment=startup.environment,
        port=startup.port,
        publish_address=container.host.publish_address,
        publish_port=container.port,
        memory_mb=container.memory_mb,
        cpus=float(container.cpus),
        pids=container.pids,
        labels={
            containers.CONTAINER_LABEL: container.id.hex,
            containers.BROKER_LABEL: str(Broker.this().broker_id),
        },
    )


def _startup(container: Container) -> Startup:
    engine = get_engine(container.engine)
    if isinstance(engine, Configurable):
        return engine.startup(endpoint(container))
    secret = container.first_secret or container.admin_secret
    return Startup(engine.port, engine.environment(secret))


def start_again(container: Container) -> None:
    """Start one that was stopped for good, and let Docker restart it as before."""
    host = connect(container.host)
    host.limit(spec(container))
    host.start(container.name)


def remove(container: Container) -> None:
    """Remove a retiring container from its host, then give its port back.

    The port goes last, once the container is seen to be gone (FAILURES I2).
    Raise HostUnreachable.
    """
    connect(container.host).remove(container.name)
    lease = getattr(container, "lease", None)
    if lease is not None:
        lease.release()
    Container.objects.mark_gone(container)


def remove_if_unwanted(container: Container) -> None:
    """Remove what the row says should not be there, a late create's included."""
    container = Container.objects.select_related("host").get(pk=container.pk)
    if container.state in (Container.State.RETIRING, Container.State.GONE):
        remove(container)


def is_absent(container: Container) -> bool:
    """Whether the host answers and knows no such container. Raise HostUnreachable."""
    return connect(container.host).find(container.name) is None
