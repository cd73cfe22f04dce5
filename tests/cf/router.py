"""A router in front of the app's instances that behaves as gorouter does.

Round robin over the routes; X-Forwarded-Proto and -For, X-Vcap-Request-Id and
X-Request-Start are set; connections to instances are kept, at most two idle ones each,
for 90 s. A request that an instance did not answer is sent to another one only if the
connection could not be made (Go's «dial» error), or if it is idempotent and a kept
connection turned out to be closed (what Go's HTTP client does by itself): whether a PUT
that was sent has been carried out, nobody knows, and so it is answered with 502.
"""

import asyncio
import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field

from tests.cf import messages
from tests.cf.messages import Message

ATTEMPTS = 3
DIAL_LIMIT_S = 5.0
ANSWER_LIMIT_S = 900.0
IDLE_LIMIT_S = 90.0
KEPT = 2
IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "TRACE")
HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Unsent(Exception):
    """No instance has seen the request: another one may."""


@dataclass
class Counts:
    requests: int = 0
    retries: int = 0
    bad_gateway: int = 0
    no_route: int = 0
    by_address: dict[str, int] = field(default_factory=dict)


class Router:
    """Serves in a thread of its own; use as a context manager."""

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        self.counts = Counts()
        self.port = 0
        self._routes: list[tuple[str, int]] = []
        self._turn = itertools.count()
        self._kept: dict[tuple[str, int], list[tuple[float, Streams]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Router":
        self._thread.start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for kept in self._kept.values():
            for _, (_, writer) in kept:
                writer.close()
        await asyncio.sleep(0)  # for the closed ones to be let go of

    def register(self, address: tuple[str, int]) -> None:
        if address not in self._routes:
            self._routes = [*self._routes, address]

    def unregister(self, address: tuple[str, int]) -> None:
        self._routes = [route for route in self._routes if route != address]

    @property
    def routes(self) -> list[tuple[str, int]]:
        return list(self._routes)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        client = writer.get_extra_info("peername")[0]
        try:
            while (request := await messages.read(reader)) is not None:
                self.counts.requests += 1
                answer = await self._answer(request, client)
                answer.headers = [*answer.without(*HOP_BY_HOP)]
                writer.write(answer.encoded())
                await writer.drain()
                if not request.keeps_alive:
                    break
        except (OSError, messages.Incomplete):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, request: Message, client: str) -> Message:
        method = request.start.split(" ")[0]
        sent = self._forwarded(request, client)
        for _ in range(ATTEMPTS):
            routes = self._routes
            if not routes:
                self.counts.no_route += 1
                return _refusal("404 Not Found", "unknown_route")
            route = routes[next(self._turn) % len(routes)]
            try:
                return await self._ask(route, sent, method)
            except _Unsent:
                self.counts.retries += 1
            except (OSError, messages.Incomplete, TimeoutError):
                break
        self.counts.bad_gateway += 1
        return _refusal("502 Bad Gateway", "endpoint_failure")

    def _forwarded(self, request: Message, client: str) -> Message:
        headers = request.without(*HOP_BY_HOP, "x-forwarded-proto", "x-request-start")
        before = request.header("x-forwarded-for")
        headers = [pair for pair in headers if pair[0].lower() != "x-forwarded-for"]
        headers += [
            ("X-Forwarded-For", f"{before}, {client}" if before else client),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-Start", str(int(time.time() * 1000))),
        ]
        if not request.header("x-vcap-request-id"):
            headers.append(("X-Vcap-Request-Id", str(uuid.uuid4())))
        return Message(request.start, headers, request.body)

    async def _ask(
        self, route: tuple[str, int], request: Message, method: str
    ) -> Message:
        (reader, writer), is_kept = await self._connection(route)
        try:
            writer.write(request.encoded())
            await writer.drain()
            receive = messages.read(reader, has_body=method != "HEAD")
            answer = await asyncio.wait_for(receive, ANSWER_LIMIT_S)
            if answer is None:
                raise messages.Incomplete
        except (OSError, messages.Incomplete) as error:
            writer.close()
            if is_kept and method in IDEMPOTENT:
                raise _Unsent from error
            raise
        name = f"{route[0]}:{route[1]}"
        counts = self.counts.by_address
        counts[name] = counts.get(name, 0) + 1
        kept = self._kept.setdefault(route, [])
        if answer.keeps_alive and len(kept) < KEPT:
            kept.append((time.monotonic(), (reader, writer)))
        else:
            writer.close()
        return answer

    async def _connection(self, route: tuple[str, int]) -> tuple[Streams, bool]:
        kept = self._kept.get(route, [])
        while kept:
            since, streams = kept.pop()
            # What the instance has closed by now is seen before anything is sent.
            if streams[0].at_eof() or time.monotonic() - since > IDLE_LIMIT_S:
                streams[1].close()
                continue
            return streams, True
        dial = asyncio.open_connection(*route, limit=messages.HEAD_LIMIT)
        try:
            return await asyncio.wait_for(dial, DIAL_LIMIT_S), False
        except (OSError, TimeoutError) as error:
            raise _Unsent from error


def _refusal(status: str, reason: str) -> Message:
    body = f"{status}: {reason}\n".encode()
    headers = [("Content-Type", "text/plain"), ("X-Cf-Routererror", reason)]
    headers.append(("Content-Length", str(len(body))))
    return Message(f"HTTP/1.1 {status}", headers, body)
