"""Send an image from one host to another, without the layers that are there."""

import logging
from collections.abc import Callable, Generator, Iterator

from instances import errors
from instances.containers import Archive, ContainerHost

logger = logging.getLogger(__name__)

Report = Callable[[str], None]


def send(
    reference: str,
    image_id: str,
    source: ContainerHost,
    target: ContainerHost,
    *,
    report: Report,
) -> int:
    """Return how many bytes were sent: all layers if it does not take less.

    Raise ArchiveRefused, HostUnreachable.
    """
    layers = source.layers(reference)
    known = layers[: target.count_known(layers)]
    try:
        return _stream(reference, image_id, source, target, known, report)
    except errors.ArchiveRefused as error:
        if not known:
            raise
        # A Docker with containerd's image store wants to see each layer again.
        logger.warning("image=%s: sent whole, since %s", reference, error.detail)
        return _stream(reference, image_id, source, target, (), report)


def _stream(
    reference: str,
    image_id: str,
    source: ContainerHost,
    target: ContainerHost,
    known: tuple[str, ...],
    report: Report,
) -> int:
    sent = 0
    saved = source.save_image(reference)
    archive = Archive(saved, reference, image_id=image_id, known=known)

    def counted(pieces: Iterator[bytes]) -> Generator[bytes]:
        nonlocal sent
        for piece in pieces:
            sent += len(piece)
            report(f"sending: {sent // 2**20} MiB")
            yield piece

    try:
        target.load_image(counted(archive.pieces()))
    finally:
        saved.close()
    return sent
