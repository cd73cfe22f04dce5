"""A hot recipe in memory, of either kind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from instances import errors
from instances.engines import Endpoint
from instances.engines.hot import Files
from tests.fakes import proofs
from tests.fakes.faults import counted

MENDING = "mending"
"""The file that makes a torn copy whole."""


class FakeRecipe:
    """Its writes are not counted: how many there are, time tells."""

    owner = 999

    def __init__(self, engine: Any) -> None:
        self.engine, self.faults = engine, engine.faults
        self.script = ""
        self.is_open = False
        """What close() puts right."""
        self.is_crossed = False
        """Whether something has made the copy worthless."""
        self.write: Callable[[], None] = lambda: None
        """What else each write does."""

    def refuse_if_down(self) -> None:
        self.engine.refuse_if_down()

    @contextmanager
    def open(self, endpoint: Endpoint) -> Iterator[Callable[[], Files]]:
        self._begin(endpoint)
        yield self._rest
        self.close(endpoint)

    @counted
    def _begin(self, endpoint: Endpoint) -> None:
        self.is_open = not self.script

    @counted
    def _rest(self) -> Files:
        if self.is_crossed:
            raise errors.EngineUnreachable(detail="it was crossed")
        return [(MENDING, b"whole")]

    @counted
    def close(self, endpoint: Endpoint) -> None:
        self.engine.users(endpoint)
        self.is_open = False

    @contextmanager
    def writer(self, endpoint: Endpoint, witness: str) -> Iterator[Callable[[], None]]:
        def write() -> None:
            self.write()
            if proofs.WITNESS in self.engine.databases(endpoint):
                self.engine.databases(endpoint)[proofs.WITNESS] = [witness]

        yield write
