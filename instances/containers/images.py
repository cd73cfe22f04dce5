"""What a container host does with images, whatever keeps them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

SOURCE_LABEL = "brokersite.source"
"""The digest of the folder that it was built from; bin/build-images sets it too."""
VERSION_LABEL = "org.opencontainers.image.version"
MOST_LAYERS = 125
"""Docker can stack no more: overlay2 refuses the next one."""

Report = Callable[[str], None]
"""Is told a line of progress, as often as there is one; may raise to stop it all."""


@dataclass(frozen=True)
class ImageStatus:
    """An image as the host sees it."""

    reference: str
    id: str
    """sha256:…"""
    size_bytes: int
    layers: int
    created_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageBuild:
    """An image to be built."""

    reference: str
    context: bytes
    """A tar with the Dockerfile and what it copies."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    on_host_network: bool = False


class ImageStore(Protocol):
    """The images on one Docker Engine. Every call raises HostUnreachable."""

    def find(self, reference: str) -> ImageStatus | None: ...

    def pull(self, reference: str, *, report: Report) -> None:
        """Fetch it from its registry. Raise ImageFailed."""

    def build(self, build: ImageBuild, *, report: Report) -> None:
        """Build and name it; what has not changed is taken from former builds.

        Raise ImageFailed with the last lines of the output.
        """
