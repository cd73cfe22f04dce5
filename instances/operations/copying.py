"""Copying: one container's data goes into another one, wherever that is."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from instances.engines import get_engine
from instances.models import Container
from instances.operations import hosts
from instances.operations.work import Work

REPORT_S = 5.0


def copy(
    work: Work,
    former: Container,
    successor: Container,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Put one container's data into another one that was never started."""
    engine = get_engine(former.engine)
    work.step("copying the data")
    host, target = hosts.connect(former.host), hosts.connect(successor.host)
    # Docker lets nobody at a container that is being read, not even to start it.
    with closing(host.read_archive(former.name, engine.data_path)) as chunks:
        coming = _reported(work, chunks, meanwhile)
        target.write_archive(successor.name, engine.incoming_path, coming)


def _reported(
    work: Work, chunks: Iterable[bytes], meanwhile: Callable[[], None]
) -> Iterator[bytes]:
    """The chunks; now and then the progress, if this attempt still may go on."""
    copied, said_at = 0, time.monotonic()
    for chunk in chunks:
        copied += len(chunk)
        if time.monotonic() - said_at > REPORT_S:
            said_at = time.monotonic()
            work.step(f"copied {copied // 2**20} MiB")
            meanwhile()
        yield chunk
