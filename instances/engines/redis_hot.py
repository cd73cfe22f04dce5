"""Redis's hot recipe: its files only grow, as long as none is written anew.

A copy that a rewrite has crossed names files that are not in it: the server would not
start (DOCKER-LIMITS 5).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from instances import errors
from instances.engines.base import Endpoint, our_witness
from instances.engines.hot import Files, HotRecipe
from instances.engines.redis import (
    _LEAVE,
    WITNESS_KEY,
    Ask,
    _flush,
    _session,
    _wait_until,
)

PERCENTAGE = "auto-aof-rewrite-percentage"
USUAL = 100
"""The server's own default. The image and the tenants leave it as it is."""
BUSY = (
    *("aof_rewrite_in_progress", "aof_rewrite_scheduled"),
    "rdb_bgsave_in_progress",
)


class RedisHot:
    script = ""
    owner = 999

    @contextmanager
    def open(self, endpoint: Endpoint) -> Iterator[Callable[[], Files]]:
        with _session(endpoint) as ask:
            ask("CONFIG SET", PERCENTAGE, 0)
            try:
                _wait_until(ask, lambda now: not any(now[name] for name in BUSY))
                _flush(ask)
                forks = _forks(ask)
                yield lambda: _refuse_rewritten(ask, forks)
            finally:
                ask("CONFIG SET", PERCENTAGE, USUAL)

    def close(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as ask:
            ask("CONFIG SET", PERCENTAGE, USUAL)

    @contextmanager
    def writer(self, endpoint: Endpoint, witness: str) -> Iterator[Callable[[], None]]:
        with _session(endpoint) as ask:
            yield lambda: ask("EVAL", _LEAVE, 1, WITNESS_KEY, our_witness(witness))


def _forks(ask: Ask) -> int:
    """How often a process was made that writes a file anew."""
    return int(ask("INFO", "stats")["total_forks"])


def _refuse_rewritten(ask: Ask, forks: int) -> Files:
    if _forks(ask) != forks:
        raise errors.EngineUnreachable(
            detail="the file was written anew while it was copied"
        )
    return ()


RECIPE: HotRecipe = RedisHot()
