"""How an engine's data is copied while apps write, and its hot recipes by their names.

A copy that is made file by file while the server writes is of no single moment. Each
engine has its own way to make one of it that a server starts on (DOCKER-LIMITS 5).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Protocol

from instances.engines.base import Endpoint

Files = Iterable[tuple[str, bytes]]
"""Paths inside the data path, and contents."""


class HotRecipe(Protocol):
    """Every method can run twice. All raise EngineUnreachable."""

    script: str
    """For the bash of the server's own image, in a container beside the server's.

    It finds the server's files below /proc/1/root, leaves a copy of the data in the
    data path of its own container, and holds no secret. Empty: the files of the
    running server are copied as they are, while open() is.
    """
    owner: int
    """The number of the user and the group that the files belong to."""

    def open(self, endpoint: Endpoint) -> AbstractContextManager[Callable[[], Files]]:
        """For as long as files are copied one by one.

        What it gives is called when they are: it raises EngineUnreachable if the copy
        is worth nothing, else gives the files that have to take their places in it.
        """

    def close(self, endpoint: Endpoint) -> None:
        """Put right what open() may have left behind when its process died."""

    def writer(
        self, endpoint: Endpoint, witness: str
    ) -> AbstractContextManager[Callable[[], None]]:
        """What writes the witness durably once more, at each call.

        For finding out how long writers wait: it waits as they do.
        """


_MODULES = ("mariadb", "postgres", "redis")

RECIPES: dict[str, HotRecipe] = {
    name: import_module(f"instances.engines.{name}_hot").RECIPE for name in _MODULES
}


def find_recipe(engine: str) -> HotRecipe | None:
    return RECIPES.get(engine)
