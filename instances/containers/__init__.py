"""Container hosts by the scheme of their URL. They know Docker, not databases."""

from collections.abc import Callable
from urllib.parse import urlsplit

from instances import errors
from instances.containers.access import Access
from instances.containers.backup_archives import Archive
from instances.containers.base import (
    BACKUP_LABEL,
    BROKER_LABEL,
    CONTAINER_LABEL,
    SCRATCH_LABEL,
    ContainerHost,
    ContainerSpec,
    ContainerStatus,
    HostDescription,
    HostNetwork,
    Limits,
)
from instances.containers.breaker import breaker_of
from instances.containers.docker import DockerContainerHost
from instances.containers.images import (
    MOST_LAYERS,
    SOURCE_LABEL,
    VERSION_LABEL,
    ImageBuild,
    ImageStatus,
    ImageStore,
    Report,
)
from instances.containers.registry import RegistryLogin, delete_manifest
from instances.containers.watching import (
    ContainerDetails,
    ContainerUsage,
    LogLine,
    Neighbour,
)

__all__ = [
    "BACKUP_LABEL",
    "BROKER_LABEL",
    "CONTAINER_LABEL",
    "MOST_LAYERS",
    "SCHEMES",
    "SCRATCH_LABEL",
    "SOURCE_LABEL",
    "VERSION_LABEL",
    "Access",
    "Archive",
    "ContainerDetails",
    "ContainerHost",
    "ContainerSpec",
    "ContainerStatus",
    "ContainerUsage",
    "HostDescription",
    "HostNetwork",
    "ImageBuild",
    "ImageStatus",
    "ImageStore",
    "Limits",
    "LogLine",
    "Neighbour",
    "RegistryLogin",
    "Report",
    "connect",
    "delete_manifest",
    "is_failing",
]

SCHEMES: dict[str, Callable[..., ContainerHost]] = {
    "unix": DockerContainerHost,
    "tcp": DockerContainerHost,
    "ssh": DockerContainerHost,
}


def connect(access: Access, *, timeout_s: int = 10) -> ContainerHost:
    """A host to talk to; nothing is sent yet. Raise InvalidRequest.

    The time is for short calls: what changes, moves or makes something has its own.
    """
    scheme = urlsplit(access.url).scheme
    if scheme not in SCHEMES:
        raise errors.InvalidRequest(
            f"url: {access.url} is not unix://PATH, tcp://HOST:PORT or ssh://USER@HOST"
        )
    return SCHEMES[scheme](access, timeout_s=timeout_s)


def is_failing(url: str) -> bool:
    """Whether this process asks the host nothing now, after failures in a row."""
    return breaker_of(url).refuses
