"""What a container host does to let images in and out, whatever keeps them."""

from collections.abc import Generator, Iterable
from typing import Protocol

from instances.containers.images import Report
from instances.containers.registry import RegistryLogin


class ImageTransfers(Protocol):
    """Every call raises HostUnreachable."""

    def identity(self) -> str:
        """What no other Docker Engine answers, whatever its address."""

    def save_image(self, reference: str) -> Generator[bytes]:
        """The image as chunks of a tar; closing it ends the host's work.

        Raise ImageMissing.
        """

    def load_image(self, chunks: Iterable[bytes]) -> None:
        """Take the images of such a tar in, all of them or none.

        Layers that the host has may be left out. Raise ArchiveRefused.
        """

    def push_image(
        self,
        reference: str,
        repository: str,
        tag: str,
        *,
        login: RegistryLogin,
        report: Report,
    ) -> str:
        """Push it to the registry under that name; return its digest there.

        Raise ImageMissing, or ImageFailed if the registry refuses.
        """

    def pull_image(
        self,
        repository: str,
        digest: str,
        reference: str,
        *,
        login: RegistryLogin,
        report: Report,
    ) -> None:
        """Fetch what the registry has under the digest. Raise ImageFailed."""

    def layers(self, reference: str) -> tuple[str, ...]:
        """The digests of its layers, lowest first; none if there is no such image."""

    def count_known(self, layers: tuple[str, ...]) -> int:
        """How many of the first of them the host has, one upon the other."""
