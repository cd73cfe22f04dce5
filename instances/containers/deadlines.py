"""Total deadlines for what is said over a socket.

A time-out of requests is for one read: a host that sends a byte now and then, or one
whose kernel accepts connections for a stopped daemon, would hold a caller for ever
(FAILURES F33, F34).
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_local = threading.local()


@dataclass(frozen=True, eq=False)
class Limits:
    ends_at: float
    """By time.monotonic()."""
    silence_s: float

    def next_s(self) -> float:
        """How long the next call may take. Raise TimeoutError if it is over."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        return min(left, self.silence_s)


@contextmanager
def limited(total_s: float, silence_s: float | None = None) -> Iterator[Limits]:
    """What this thread asks for in here takes no longer, however it is answered."""
    silence_s = total_s if silence_s is None else silence_s
    limits = Limits(time.monotonic() + total_s, silence_s)
    _stack().append(limits)
    try:
        yield limits
    finally:
        # Not pop(): a generator may end after what began later.
        _stack().remove(limits)


def current() -> Limits:
    """The innermost limits. Raise IndexError outside of limited()."""
    return _stack()[-1]


def _stack() -> list[Limits]:
    if not hasattr(_local, "stack"):
        _local.stack = []
    return _local.stack  # type: ignore[no-any-return]


class _Limited:
    """A socket whose every call takes what is left, and no more."""

    limits: Limits | None = None

    def hurry(self) -> None:
        """Raise TimeoutError if the time is over."""
        if self.limits is not None:
            self.settimeout(self.limits.next_s())  # type: ignore[attr-defined]

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.hurry()
        return super().recv_into(*args, **options)  # type: ignore[misc, no-any-return]

    def recv(self, *args: Any, **options: Any) -> bytes:
        self.hurry()
        return super().recv(*args, **options)  # type: ignore[misc, no-any-return]

    def send(self, *args: Any, **options: Any) -> int:
        self.hurry()
        return super().send(*args, **options)  # type: ignore[misc, no-any-return]

    def sendall(self, *args: Any, **options: Any) -> None:
        self.hurry()
        super().sendall(*args, **options)  # type: ignore[misc]


class LimitedSocket(_Limited, socket.socket):
    pass


class LimitedSSLSocket(_Limited, ssl.SSLSocket):
    pass
