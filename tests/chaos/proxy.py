"""A proxy before a Docker Engine that breaks what is asked of it, as rules say.

Each rule is used up by the calls that it fits. Every call is written down: what was
asked, whether the engine has executed it, and what was done to it.
"""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.chaos.wire import HEAD_LIMIT, Head, body, pump, read_head

SMALL = 2**20
"""What is larger is neither kept for later nor sent twice."""


class Action(StrEnum):
    DELAY = "delay"
    DROP_BEFORE = "drop before"
    """Never executed, and no answer."""
    DROP_AFTER = "drop after"
    """Executed, and no answer."""
    TRUNCATE = "truncate"
    """Executed, and half an answer."""
    DUPLICATE = "duplicate"
    HANG = "hang"
    """Executed, and silence for so long; then no answer."""
    LATE = "late"
    """No answer at once, and executed so long after that."""
    ERROR = "error 500"
    """Never executed."""


@dataclass
class Rule:
    action: Action
    method: str
    path: str
    """A regular expression that is looked for in the path."""
    times: int = 1
    seconds: float = 0.0

    def fits(self, head: Head) -> bool:
        return head.method == self.method and bool(re.search(self.path, head.path))

    def __str__(self) -> str:
        return f"{self.action} {self.seconds:.0f} s: {self.method} {self.path}"


@dataclass
class Call:
    at: float
    method: str
    path: str
    action: str = ""
    status: int = 0
    """0: the engine was not asked, or has not answered."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status or '-'} {self.action}".strip()


class Proxy:
    """Listens at a socket of its own; use as a context manager."""

    def __init__(self, socket: Path, engine: Path) -> None:
        self.url = f"unix://{socket}"
        self.calls: list[Call] = []
        self._socket, self._engine = socket, engine
        self._rules: list[Rule] = []
        self._down_until = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any] | None] = set()
        """The loop itself would let them be collected."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._ask(self._listen())
        return self

    def __exit__(self, *_: Any) -> None:
        if not self._thread.is_alive():
            return  # it was never begun
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def arm(self, rule: Rule) -> None:
        self._loop.call_soon_threadsafe(self._rules.append, rule)

    def clear(self) -> None:
        self._loop.call_soon_threadsafe(self._rules.clear)

    def go_down(self, seconds: float) -> None:
        """Cut every line, and take no new one for so long."""

        def cut() -> None:
            self._down_until = time.monotonic() + seconds
            for writer in list(self._open):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    async def _listen(self) -> None:
        await asyncio.start_unix_server(self._serve, self._socket, limit=HEAD_LIMIT)

    async def _end(self) -> None:
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        self._tasks.add(asyncio.current_task())
        try:
            while time.monotonic() > self._down_until:
                head = await read_head(reader)
                if head is None or not await self._answer(head, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the three has gone
        finally:
            self._open.discard(writer)
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _answer(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the line goes on."""
        call = Call(time.time(), head.method, head.path)
        self.calls.append(call)
        rule = self._taken(head)
        action = rule.action if rule else None
        seconds = rule.seconds if rule else 0.0
        call.action = str(action or "")
        if action == Action.DROP_BEFORE:
            return False
        if action == Action.ERROR:
            await self._refuse(writer)
            return False
        if action == Action.LATE:
            return await self._later(call, head, reader, seconds)
        if action == Action.DELAY:
            await asyncio.sleep(seconds)
        if action == Action.DUPLICATE and _is_small(head):
            kept = await _kept(head, reader)
            await self._execute(call, head, kept)
            return await self._pass(call, action, head, _fed(kept), writer)
        goes_on = await self._pass(call, action, head, reader, writer)
        if action == Action.HANG:
            await asyncio.sleep(seconds)
        return goes_on

    def _taken(self, head: Head) -> Rule | None:
        for rule in self._rules:
            if rule.fits(head):
                rule.times -= 1
                if not rule.times:
                    self._rules.remove(rule)
                return rule
        return None

    async def _refuse(self, writer: asyncio.StreamWriter) -> None:
        said = b'{"message":"a fault of the lab"}\n'
        writer.write(
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
        )
        await writer.drain()

    async def _later(
        self, call: Call, head: Head, reader: asyncio.StreamReader, seconds: float
    ) -> bool:
        if not _is_small(head):
            return False
        kept = await _kept(head, reader)

        async def execute() -> None:
            await asyncio.sleep(seconds)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._execute(call, head, kept)

        task = asyncio.create_task(execute())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return False

    async def _execute(self, call: Call, head: Head, kept: bytes) -> None:
        """Ask the engine, and throw its answer away."""
        source, sink = await asyncio.open_unix_connection(
            self._engine, limit=HEAD_LIMIT
        )
        try:
            sink.write(head.raw + kept)
            await sink.drain()
            answer = await read_head(source)
            if answer is not None:
                call.status = answer.status
                async for _ in body(source, answer, asked_by=head.method):
                    pass
        finally:
            sink.close()

    async def _pass(
        self,
        call: Call,
        action: Action | None,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        source, sink = await asyncio.open_unix_connection(
            self._engine, limit=HEAD_LIMIT
        )
        try:
            sink.write(head.raw)
            async for piece in body(reader, head):
                sink.write(piece)
                await sink.drain()
            answer = await read_head(source)
            if answer is None:
                return False
            call.status = answer.status
            is_told = action not in (Action.DROP_AFTER, Action.HANG)
            if is_told:
                writer.write(answer.raw)
            if answer.is_upgrade and is_told:
                await asyncio.gather(pump(reader, sink), pump(source, writer))
                return False
            return await self._tell(action, answer, head, source, writer)
        finally:
            sink.close()

    async def _tell(
        self,
        action: Action | None,
        answer: Head,
        head: Head,
        source: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Pass the answer's body on, as far as the action lets it."""
        async for piece in body(source, answer, asked_by=head.method):
            if action == Action.TRUNCATE:
                writer.write(piece[: len(piece) // 2])
                await writer.drain()
                return False
            if action not in (Action.DROP_AFTER, Action.HANG):
                writer.write(piece)
                await writer.drain()
        is_over = action in (Action.DROP_AFTER, Action.HANG, Action.TRUNCATE)
        has_end = answer.is_chunked or answer.length is not None
        return not is_over and (has_end or answer.status in (204, 304))


def _is_small(head: Head) -> bool:
    return not head.is_chunked and (head.length or 0) <= SMALL


async def _kept(head: Head, reader: asyncio.StreamReader) -> bytes:
    return b"".join([piece async for piece in body(reader, head)])


def _fed(kept: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(kept)
    return reader
