"""Container hosts by the scheme of their URL. They know Docker, not databases."""

from collections.abc import Callable
from urllib.parse import urlsplit

from instances import errors
from instances.containers.backup_archives import Archive
from instances.containers.base import (
    BACKUP_LABEL,
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerHost,
    ContainerSpec,
    ContainerStatus,
    HostDescription,
)
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

__all__ = [
    "BACKUP_LABEL",
    "BROKER_LABEL",
    "CONTAINER_LABEL",
    "MOST_LAYERS",
    "SCHEMES",
    "SOURCE_LABEL",
    "VERSION_LABEL",
    "Archive",
    "ContainerHost",
    "ContainerSpec",
    "ContainerStatus",
    "HostDescription",
    "ImageBuild",
    "ImageStatus",
    "ImageStore",
    "RegistryLogin",
    "Report",
    "connect",
    "delete_manifest",
]

SCHEMES: dict[str, Callable[..., ContainerHost]] = {
    "unix": DockerContainerHost,
    "tcp": DockerContainerHost,
}


def connect(url: str, *, timeout_s: int = 30) -> ContainerHost:
    """A host to talk to; nothing is sent yet. Raise InvalidRequest."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise errors.InvalidRequest(f"url: {url} is not unix://PATH or tcp://HOST:PORT")
    return SCHEMES[scheme](url, timeout_s=timeout_s)
