"""What a container host does to let images in and out, whatever keeps them."""

from collections.abc import Generator, Iterable
from typing import Protocol


class ImageTransfers(Protocol):
    """Every call raises HostUnreachable."""

    def save_image(self, reference: str) -> Generator[bytes]:
        """The image as chunks of a tar; closing it ends the host's work.

        Raise ImageMissing.
        """

    def load_image(self, chunks: Iterable[bytes]) -> None:
        """Take the images of such a tar in, all of them or none.

        Layers that the host has may be left out. Raise ArchiveRefused.
        """

    def layers(self, reference: str) -> tuple[str, ...]:
        """The digests of its layers, lowest first; none if there is no such image."""

    def count_known(self, layers: tuple[str, ...]) -> int:
        """How many of the first of them the host has, one upon the other."""
