"""Tars as they pass by: read, checked and written without being held.

tarfile wants a file for each member; here a member may be larger than memory.
"""

import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from instances import errors

BLOCK = tarfile.BLOCKSIZE
CHUNK = 2**20
MOST_EXTENDED = 2**20
"""A header that describes one member; Docker's are of some hundred bytes."""
END = bytes(2 * BLOCK)
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_WITHOUT_CONTENT = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.DIRTYPE, tarfile.FIFOTYPE),
)
_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


@dataclass(frozen=True)
class Member:
    name: str
    size: int
    is_file: bool


class Source:
    """Bytes that come in chunks of any size, taken in the sizes that are wanted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def some(self, most: int) -> bytes:
        """What there is next, at most so much; empty at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:most], self._rest[most:]
        return bytes(taken)

    def exactly(self, size: int) -> bytes:
        """Raise ArchiveRefused if it ends before."""
        found = bytearray()
        while len(found) < size:
            piece = self.some(size - len(found))
            if not piece:
                raise errors.ArchiveRefused("The file is not complete.")
            found += piece
        return bytes(found)

    def stream(self, size: int) -> Generator[bytes]:
        """Raise ArchiveRefused if it ends before."""
        while size:
            piece = self.some(min(size, CHUNK))
            if not piece:
                raise errors.ArchiveRefused("The file is not complete.")
            size -= len(piece)
            yield piece


def padding(size: int) -> int:
    return -size % BLOCK


def next_member(source: Source) -> Member | None:
    """The header of the next one; None at the end. Its content is still to be read.

    Raise ArchiveRefused.
    """
    size: int | None = None
    while True:
        block = source.some(BLOCK)
        if block:
            block += source.exactly(BLOCK - len(block))
        if not block.strip(b"\0"):
            return None
        found = parse(block)
        if found.type in _EXTENDED:
            size = _size_said(_described(source, found.size)) or size
        elif found.type in _LONG_NAMES:
            _described(source, found.size)
        else:
            size = found.size if size is None else size
            return Member(found.name, size, found.isreg())


def _described(source: Source, size: int) -> bytes:
    if size > MOST_EXTENDED:
        raise errors.ArchiveRefused("The file has a header that is too long.")
    return source.exactly(size + padding(size))[:size]


def parse(block: bytes) -> tarfile.TarInfo:
    """Raise ArchiveRefused."""
    try:
        found = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise errors.ArchiveRefused("The file is damaged, or not a tar.") from None
    if found.size < 0:
        raise errors.ArchiveRefused("The file is damaged: a size is negative.")
    return found


def _size_said(records: bytes) -> int | None:
    """The size that an extended header gives, of a file of more than 8 GiB."""
    for line in records.split(b"\n"):
        name, _, value = line.partition(b"=")
        if name.endswith(b" size") and value.isdigit():
            return int(value)
    return None


def watch(source: Source, size: int) -> Generator[bytes]:
    """A layer's own tar as it is, if what is in it is as large as it looks.

    A sparse file takes some bytes here and terabytes once Docker unpacks it, and
    Docker itself writes none. Raise ArchiveRefused.
    """
    left = size
    long: int | None = None
    while left:
        block = source.exactly(min(BLOCK, left))
        left -= len(block)
        yield block
        if len(block) < BLOCK or not block.strip(b"\0"):
            continue
        found = parse(block)
        body = found.size if long is None else long
        _refuse_odd(found, body)
        if body + padding(body) > left:
            raise errors.ArchiveRefused("The file is damaged: a layer ends too early.")
        left -= body + padding(body)
        if found.type in _EXTENDED:
            records = _described(source, body)
            if b"GNU.sparse" in records:
                raise _sparse()
            long = _size_said(records) or long
            yield records + bytes(padding(body))
        else:
            if found.type not in _LONG_NAMES:
                long = None
            yield from source.stream(body + padding(body))


def _refuse_odd(found: tarfile.TarInfo, size: int) -> None:
    """What Docker would read otherwise than it is read here."""
    if found.type == tarfile.GNUTYPE_SPARSE:
        raise _sparse()
    has_content = found.isreg() or found.type in (*_EXTENDED, *_LONG_NAMES)
    if not has_content and (size or found.type not in _WITHOUT_CONTENT):
        raise errors.ArchiveRefused("The file has something odd in a layer.")


def _sparse() -> errors.ArchiveRefused:
    return errors.ArchiveRefused(
        "The file has a sparse file in a layer, which may grow without limit."
    )


def header(name: str, size: int) -> bytes:
    """Of a plain file; the same at every time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member.tobuf(format=tarfile.GNU_FORMAT)


def whole(name: str, content: bytes) -> bytes:
    """A small file with its header."""
    return header(name, len(content)) + content + bytes(padding(len(content)))


def gathered(pieces: Iterator[bytes]) -> Generator[bytes]:
    """The same in pieces of about a megabyte: each costs a system call or two."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def first_file(chunks: Iterator[bytes]) -> tuple[int, Generator[bytes]]:
    """The size and the content of the one file that a tar holds.

    Raise ArchiveRefused.
    """
    source = Source(chunks)
    member = next_member(source)
    if member is None or not member.is_file:
        raise errors.ArchiveRefused("There is no such file.")
    return member.size, source.stream(member.size)
