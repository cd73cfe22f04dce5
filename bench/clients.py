"""Clients that work side by side in threads of their own."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

Work = Callable[[], Any]
interrupted = Event()
"""Ends what other threads are waiting for: a Ctrl-C reaches the first one only."""


def milliseconds(work: Work) -> float:
    started_at = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started_at)


def at_once(works: Sequence[Work], *, threads: int) -> None:
    """Do them all; after a failure or a Ctrl-C, only what has begun."""
    pool = ThreadPoolExecutor(threads)
    try:
        for done in [pool.submit(work) for work in works]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def per_second(works: Sequence[Work], *, seconds: float) -> float:
    """How often in a second they are done, each over and over in its own thread."""
    done: list[None] = []
    started_at = time.perf_counter()

    def repeat(work: Work) -> None:
        while time.perf_counter() < started_at + seconds:
            work()
            done.append(None)

    at_once([partial(repeat, work) for work in works], threads=len(works))
    return len(done) / (time.perf_counter() - started_at)
