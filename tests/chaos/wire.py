"""HTTP/1.1 as it passes by: heads are read, bodies only copied."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_LIMIT = 2**20
PIECE = 2**16


@dataclass
class Head:
    """A request's or an answer's first part, and what it says of the second."""

    raw: bytes
    start: str
    headers: dict[str, str]

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def path(self) -> str:
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def length(self) -> int | None:
        text = self.headers.get("content-length")
        return None if text is None else int(text)

    @property
    def is_upgrade(self) -> bool:
        """What follows an answer like this is no HTTP any more."""
        kind = self.headers.get("content-type", "")
        return self.status == 101 or kind.endswith(("raw-stream", "multiplexed-stream"))


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """None if the other side has ended; OSError if it was cut off."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError from error
        return None
    start, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return Head(raw, start, {name.lower(): value.strip() for name, _, value in pairs})


async def body(
    reader: asyncio.StreamReader, head: Head, *, asked_by: str = ""
) -> AsyncIterator[bytes]:
    """The raw bytes that follow; asked_by: the method that this is the answer to."""
    is_answer = bool(asked_by)
    if asked_by == "HEAD" or (is_answer and head.status in (204, 304)):
        return
    if head.is_chunked:
        async for piece in _chunks(reader):
            yield piece
    elif head.length is not None:
        left = head.length
        while left:
            piece = await reader.readexactly(min(left, PIECE))
            left -= len(piece)
            yield piece
    elif is_answer:
        while piece := await reader.read(PIECE):
            yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        yield line + await reader.readexactly(size + 2)
        if size == 0:
            return


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; then the other one may not write any more."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
