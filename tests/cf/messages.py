"""HTTP/1.1 messages on asyncio streams, as far as a router has to understand them."""

import asyncio
from dataclasses import dataclass

HEAD_LIMIT = 64 * 1024


class Incomplete(Exception):
    """The other side has ended in the middle of a message."""


@dataclass
class Message:
    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def without(self, *names: str) -> list[tuple[str, str]]:
        return [(n, v) for n, v in self.headers if n.lower() not in names]

    def encoded(self) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    @property
    def keeps_alive(self) -> bool:
        return self.header("connection").lower() != "close"


async def read(
    reader: asyncio.StreamReader, *, has_body: bool = True
) -> Message | None:
    """The next message with its body, chunks joined; None if there is none.

    Raise Incomplete, or OSError for a connection that was reset.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Incomplete from error
        return None
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    message = Message(start, [(name, value.strip()) for name, _, value in pairs])
    if has_body and not _is_bare(start):
        try:
            message.body = await _body(reader, message)
        except asyncio.IncompleteReadError as error:
            raise Incomplete from error
    return message


def _is_bare(start: str) -> bool:
    return start.startswith("HTTP/") and start.split(" ")[1] in ("204", "304")


async def _body(reader: asyncio.StreamReader, message: Message) -> bytes:
    if message.header("transfer-encoding").lower() == "chunked":
        body = await _chunks(reader)
        message.headers = message.without("transfer-encoding")
        message.headers.append(("Content-Length", str(len(body))))
        return body
    return await reader.readexactly(int(message.header("content-length") or 0))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if size == 0:
            return body
