"""What a container host shows of a container to whoever looks at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class ContainerUsage:
    """What a running container uses. Times and bytes count from its start."""

    at: datetime
    cpu_ms: int
    """Of all processors together."""
    memory_bytes: int
    """Without what the kernel could drop: files it has read and not touched since."""
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    written_bytes: int
    processes: int


@dataclass(frozen=True)
class LogLine:
    at: datetime
    stream: str
    """stdout or stderr."""
    text: str


@dataclass(frozen=True)
class ContainerDetails:
    """How Docker says that it was made. No value of its environment is here that the
    image does not have too: an operator's template may have put a secret there."""

    image: str
    image_id: str
    memory_mb: int
    cpus: float
    pids: int
    ports: tuple[tuple[str, int, int], ...]
    """Address and port on the host, port inside."""
    restarts: bool
    mounts: tuple[str, ...]
    environment: Mapping[str, str | None]
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Neighbour:
    """Any container of the host, whoever made it."""

    name: str
    image: str
    state: str
    status: str
    """Docker's sentence, such as "Up 3 hours"."""
    is_ours: bool
    ports: tuple[int, ...] = ()
    """On the host."""


class Watching(Protocol):
    """The part of a container host that looks, and changes nothing.

    None of it is an exec: it may go on beside a commit.
    """

    def usage(
        self, names: Sequence[str], *, limit_s: float
    ) -> dict[str, ContainerUsage]:
        """Of those that run, as many as can be asked within the time.

        Docker may take a second for each, and is asked for some at once. One that
        does not tell keeps no other. Raise HostUnreachable if the host itself is.
        """

    def log_lines(
        self, name: str, *, lines: int, since: datetime | None = None
    ) -> list[LogLine]:
        """The last lines of both streams by time, control characters stripped.

        Long ones are cut. Empty if there is no such container.
        """

    def processes(self, name: str) -> list[dict[str, str]]:
        """What ps on the host says of each, by its own headings.

        Empty if it does not run. Raise HostRefused if the host has no ps.
        """

    def details(self, name: str) -> ContainerDetails | None: ...

    def neighbours(self, *, broker_id: str) -> list[Neighbour]:
        """All containers of the host, by name; ours have this broker's label."""
