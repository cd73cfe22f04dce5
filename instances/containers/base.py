"""What a container host does for the broker, whatever runs the containers."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from instances.containers.image_transfers import ImageTransfers
from instances.containers.images import ImageStore
from instances.containers.watching import Watching

CONTAINER_LABEL = "brokersite.container"
BROKER_LABEL = "brokersite.broker"
BACKUP_LABEL = "brokersite.backup"
SCRATCH_LABEL = "brokersite.scratch"
"""On throw-away containers: no database was ever in use there."""


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be. Its command, environment and labels are public.

    They hold no secret, unless an operator's own template puts one there.
    """

    name: str
    image: str
    environment: Mapping[str, str]
    port: int
    """The port on which the database listens inside."""
    publish_address: str
    publish_port: int | None
    """None: a container that nothing can reach, and that reaches nothing."""
    memory_mb: int
    cpus: float
    pids: int
    labels: Mapping[str, str] = field(default_factory=dict)
    restarts: bool = True
    """Whether Docker starts it again when it has ended by itself."""
    command: tuple[str, ...] = ()
    """Arguments for the image's entry point; none: the image's own."""
    entrypoint: tuple[str, ...] = ()
    """In place of the image's own."""
    beside: str = ""
    """The name of a running container whose processes it sees, and by way of them
    its files; it ends with that."""


@dataclass(frozen=True)
class Limits:
    """What Docker holds a container to, and whether it starts it again."""

    memory_mb: int
    cpus: float
    pids: int
    restarts: bool


@dataclass(frozen=True)
class ContainerStatus:
    """A container as the host sees it."""

    name: str
    state: str
    """created, running, paused, restarting, exited or dead (Docker's words)."""
    image: str
    labels: Mapping[str, str]
    image_id: str = ""
    """What the image's name meant when the container was made."""
    exit_code: int | None = None
    out_of_memory: bool = False
    started_at: datetime | None = None
    mounts: tuple[str, ...] = ()
    """Folders inside that are not of its own layer; only find() says."""
    ports: tuple[int, ...] = ()
    """On which it publishes; list() only says it of one that runs."""
    created_at: datetime | None = None
    limits: Limits | None = None
    """Only find() says."""

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class HostDescription:
    engine_id: str
    version: str
    memory_mb: int
    api_version: str = ""
    oldest_api: str = ""
    operating_system: str = "linux"
    storage_driver: str = "overlay2"
    cgroup: str = ""
    """Version and driver, such as "2, systemd"."""
    missing_limits: tuple[str, ...] = ()
    """What its kernel cannot limit: memory, swap, CPU, processes."""


@dataclass(frozen=True)
class HostNetwork:
    """What a container in the host's own network sees of it."""

    addresses: frozenset[str]
    ephemeral_ports: tuple[int, int]
    """First and last of those that programs get who ask for any."""


class ContainerHost(ImageTransfers, Watching, Protocol):
    """One Docker Engine. Every call has a deadline and raises HostUnreachable."""

    @property
    def images(self) -> ImageStore: ...

    def ping(self) -> None:
        """Only see whether it answers."""

    def describe(self) -> HostDescription: ...

    def look_around(self, image: str) -> HostNetwork:
        """Run a container of that image for a moment. Raise ImageMissing."""

    def create(self, spec: ContainerSpec) -> None:
        """Create by name; one of ours with that name and port is kept.

        Raise ImageMissing, or ContainerFailed if a stranger has the name.
        """

    def start(self, name: str) -> None:
        """Start, or do nothing if it runs. Raise PortTaken, ContainerFailed."""

    def restart(self, name: str) -> None:
        """Stop the database in order and start it again. Raise ContainerFailed."""

    def stop(self, name: str, *, limit_s: int) -> None:
        """Stop the database in order, for good: only start() brings it back.

        It is killed after so many seconds. Raise ContainerFailed if it does not exist.
        """

    def limit(self, spec: ContainerSpec) -> None:
        """Give a container the memory, CPUs and processes of the spec.

        Docker restarts it by itself again, if stop() has ended that. Raise
        ContainerFailed if it does not exist, HostRefused if it uses more.
        """

    def read_archive(self, name: str, path: str) -> Generator[bytes]:
        """A file or folder of a container, running or not, as chunks of a tar.

        Nothing can be done with the container until they are all read, or closed.
        Raise ContainerFailed if there is no such container or path.
        """

    def write_archive(self, name: str, path: str, chunks: Iterable[bytes]) -> None:
        """Unpack a tar in a folder of a container, owners by number.

        Raise ContainerFailed if there is no such container or folder.
        """

    def find(self, name: str) -> ContainerStatus | None: ...

    def list(self, *, broker_id: str) -> list[ContainerStatus]:
        """The containers of this broker, running or not."""

    def leftovers(self, *, broker_id: str) -> tuple[str, ...]:
        """Volumes and networks with this broker's label: `volume NAME`."""

    def sizes(self, *, broker_id: str) -> dict[str, int]:
        """Bytes that each container of this broker has written to its own layer.

        Docker looks at every file: it takes seconds for many or large ones.
        """

    def free_bytes(self, image: str, *, broker_id: str) -> int | None:
        """What is free where containers and images are kept.

        The image, which must be there, is asked for it in a container that lives for
        a moment; None if it cannot tell.
        """

    def remove(self, name: str) -> None:
        """Remove with its volumes; return when it is seen to be gone."""

    def discard(self, name: str) -> bool:
        """Remove it unless it has ever been started; whether it is gone.

        As one step: no start() comes in between.
        """

    def logs(self, name: str, *, lines: int) -> str:
        """The last lines, control characters stripped; empty if it is gone."""

    def commit(
        self,
        name: str,
        reference: str,
        *,
        labels: Mapping[str, str],
        pauses: bool = True,
    ) -> str:
        """Make an image of the container's layer, and return its id.

        The container is paused for as long, unless its files may be of different
        moments. Without a reference the image has no name. The labels replace those of
        this broker's containers, and it starts as the container's own image does. Raise
        ContainerFailed if there is no such container, DiskFull. After HostUnreachable
        the image may appear later.
        """

    def resume(self, name: str) -> None:
        """End a pause, if there is one; nothing happens if the container is gone."""

    def remove_image(self, reference: str) -> None:
        """Remove it, or do nothing if it is gone. Raise HostRefused if it is in use."""

    def list_backups(self, *, broker_id: str) -> dict[str, str]:
        """This broker's backup images: reference, or id if untagged, to backup id."""
