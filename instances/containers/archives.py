"""Tars made here, a file at a time."""

import tarfile
from collections.abc import Iterable, Iterator


def packed(
    files: Iterable[tuple[str, bytes]], *, uid: int, gid: int
) -> Iterator[bytes]:
    """A tar of files, as path and content, that only their owner may read."""
    for path, content in files:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), 0o600
        entry.uid, entry.gid = uid, gid
        yield entry.tobuf()
        yield content
        yield bytes(-len(content) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
