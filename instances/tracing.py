"""What this thread is at, for its log lines: the request, the operation.

Threads that are started from here do not inherit it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token

_NOTHING: Mapping[str, str] = {}
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=_NOTHING)


def current() -> Mapping[str, str]:
    """The ids by the names of their fields in a log line; empty ones are left out."""
    return _ids.get()


def enter(**ids: str) -> Token[Mapping[str, str]]:
    """Add the ids until leave() is called with what this returns."""
    given = {name: value for name, value in ids.items() if value}
    return _ids.set({**_ids.get(), **given})


def leave(token: Token[Mapping[str, str]]) -> None:
    _ids.reset(token)


@contextmanager
def at(**ids: str) -> Iterator[None]:
    """Add the ids for a block."""
    token = enter(**ids)
    try:
        yield
    finally:
        leave(token)
