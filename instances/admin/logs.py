"""A container's log in the console: filtered, followed, downloaded.

What a database writes may be anything: it is text without control characters, each
line is cut, and there are only so many. Docker keeps 10 MB of a container's log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.http import urlencode

from instances import errors
from instances.admin.base import Section
from instances.admin.live import absence
from instances.containers import LogLine
from instances.models import Container
from instances.operations import hosts

TIMEOUT_S = 5
REFRESH_MS = 3000
TEMPLATE = "admin/instances/section_log.html"
FORM = "log-filter"
LINES = (100, 300, 1000)
MOST_LINES = 20_000
"""Looked through for a text, and downloaded."""
LONGEST_TEXT = 100
SINCE = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("an hour", timedelta(hours=1)),
    "1d": ("a day", timedelta(days=1)),
    "": ("the container's start", None),
}
STREAMS = {"": "both streams", "stdout": "stdout", "stderr": "stderr"}


@dataclass(frozen=True)
class Wish:
    """What is to be shown: anything else in the address means the default."""

    lines: int = LINES[0]
    text: str = ""
    since: str = ""
    stream: str = ""
    follows: bool = False

    @classmethod
    def of(cls, asked: QueryDict) -> "Wish":
        lines = {str(number): number for number in LINES}
        since, stream = asked.get("since", ""), asked.get("stream", "")
        return cls(
            lines=lines.get(asked.get("lines", ""), LINES[0]),
            text=asked.get("text", "")[:LONGEST_TEXT],
            since=since if since in SINCE else "",
            stream=stream if stream in STREAMS else "",
            follows=asked.get("follow") == "1",
        )

    def query(self) -> str:
        fields: dict[str, str | int] = {
            "lines": self.lines,
            "text": self.text,
            "since": self.since,
            "stream": self.stream,
            "follow": "1" if self.follows else "",
        }
        return urlencode({name: value for name, value in fields.items() if value})

    def matches(self, line: LogLine) -> bool:
        is_of_stream = not self.stream or line.stream == self.stream
        return is_of_stream and self.text.casefold() in line.text.casefold()


def section(container: Container | None, wish: Wish, url: str) -> Section:
    """The log and its form; `url` is where it is had, as a part and as a file."""
    content: dict[str, Any] = {
        **part(container, wish, url),
        "form": FORM,
        "wish": wish,
        "choices": {
            "lines": [(number, number, number == wish.lines) for number in LINES],
            "since": [
                (key, label, key == wish.since) for key, (label, _) in SINCE.items()
            ],
            "stream": [
                (key, label, key == wish.stream) for key, label in STREAMS.items()
            ],
        },
        "download_url": f"{url}file/?{wish.query()}",
    }
    return Section("Log", TEMPLATE, content)


def part(container: Container | None, wish: Wish, url: str) -> dict[str, Any]:
    """The lines alone. A host that does not answer is told of, never raised."""
    content: dict[str, Any] = {"absence": absence(container)}
    if container is None or content["absence"]:
        return content
    try:
        content["lines"] = list(read(container, wish))[-wish.lines :]
    except errors.BrokerError as error:
        content = {"problem": str(error), "detail": error.detail}
    if wish.follows:
        content["refresh_url"] = f"{url}part/?{wish.query()}"
        content["refresh_ms"] = REFRESH_MS
    content["is_filtered"] = bool(wish.text or wish.since or wish.stream)
    return content


def tail(container: Container) -> Section:
    """The last lines, for a page that has no form for them."""
    return Section("Log", "admin/instances/log_lines.html", part(container, Wish(), ""))


def read(container: Container, wish: Wish) -> Iterator[LogLine]:
    """Raise HostUnreachable."""
    _, age = SINCE[wish.since]
    narrow = wish.text or wish.stream
    host = hosts.connect(container.host, timeout_s=TIMEOUT_S)
    found = host.log_lines(
        container.name,
        lines=MOST_LINES if narrow else wish.lines,
        since=timezone.now() - age if age else None,
    )
    yield from filter(wish.matches, found)


def download(request: HttpRequest, container: Container | None) -> HttpResponse:
    """As a text file, all that matches. What is wrong is said in its place."""
    wish = Wish.of(request.GET)
    name = container.name if container is not None else "log"
    try:
        text = "".join(_written(container, wish))
        status = 200
    except errors.BrokerError as error:
        text, status = f"{error}\n{error.detail}\n", 503
    response = HttpResponse(
        text, content_type="text/plain; charset=utf-8", status=status
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.log"'
    return response


def _written(container: Container | None, wish: Wish) -> Iterator[str]:
    if container is None or (why := absence(container)):
        yield f"{absence(container) if container is None else why}\n"
        return
    whole = Wish(MOST_LINES, wish.text, wish.since, wish.stream)
    for line in read(container, whole):
        yield f"{line.at:%Y-%m-%dT%H:%M:%S.%f}Z {line.stream} {line.text}\n"
