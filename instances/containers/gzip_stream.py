"""gzip in pieces. Level 1: a backup is large, and a broker's CPU is small.

gzip rather than zstd, since `docker load` of every release takes it as it is.
"""

import zlib
from collections.abc import Generator, Iterator

from instances import errors

MAGIC = b"\x1f\x8b"
LEVEL = 1
PIECE = 2**20
_GZIP = 31
"""wbits: a gzip header and trailer. The header says no time: the same each time."""


def packed(chunks: Iterator[bytes]) -> Generator[bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        piece = packer.compress(chunk)
        if piece:
            yield piece
    yield packer.flush()


def unpacked(chunks: Iterator[bytes]) -> Generator[bytes]:
    """As it is, if it is not packed. Raise ArchiveRefused.

    A few bytes may unpack to gigabytes: no more than a piece is made at a time.
    """
    first = b""
    while len(first) < len(MAGIC):
        chunk = next(chunks, None)
        if chunk is None:
            break
        first += chunk
    if not first.startswith(MAGIC):
        yield first
        yield from chunks
        return
    unpacker = zlib.decompressobj(_GZIP)
    try:
        yield from _pieces(unpacker, first)
        for chunk in chunks:
            if unpacker.eof:
                raise errors.ArchiveRefused("The file has more behind its end.")
            yield from _pieces(unpacker, chunk)
    except zlib.error as error:
        raise errors.ArchiveRefused("The file is damaged.", detail=str(error)) from None
    if not unpacker.eof or unpacker.unused_data:
        raise errors.ArchiveRefused("The file is not complete.")


def _pieces(unpacker: "zlib._Decompress", chunk: bytes) -> Generator[bytes]:
    while chunk and not unpacker.eof:
        piece = unpacker.decompress(chunk, PIECE)
        if piece:
            yield piece
        chunk = unpacker.unconsumed_tail
