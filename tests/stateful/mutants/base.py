"""What mutants are made of."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest import mock

from instances import errors
from instances.operations import execution

patch = mock.patch.object
Mutant = Callable[[], AbstractContextManager[Any]]


def mutant(make: Mutant) -> Mutant:
    make.is_mutant = True  # type: ignore[attr-defined]
    return make


def found_in(module: ModuleType) -> dict[str, Mutant]:
    return {
        name: make for name, make in vars(module).items() if hasattr(make, "is_mutant")
    }


def nothing(*_: Any, **__: Any) -> None:
    pass


def verb(kind: str, **parts: Any) -> AbstractContextManager[Any]:
    changed = replace(execution.VERBS[kind], **parts)
    return mock.patch.dict(execution.VERBS, {kind: changed})


def fail(work: Any, error: errors.BrokerError) -> None:
    with work.failing(error):
        pass
