"""Instances that begin with the backup of another one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from instances.models import Backup, Container
from instances.operations import (
    beginning,
    ghosts,
    restore,
)
from tests.stateful.mutants.base import mutant, nothing, patch


@mutant
def a_clone_lets_the_other_one_s_users_in() -> Any:
    def settle(work: Any, instance: Any, container: Container) -> None:
        restore.find_witness(instance.restored_from, container)

    return patch(beginning, "settle", settle)


@mutant
def a_clone_begins_empty() -> Any:
    @contextmanager
    def empty() -> Iterator[None]:
        with patch(beginning, "filler", lambda *_: nothing):
            with patch(restore, "find_witness", nothing):
                yield

    return empty()


@mutant
def a_half_filled_clone_is_started() -> Any:
    @contextmanager
    def started() -> Iterator[None]:
        with patch(beginning, "is_half_filled", lambda container: False):
            with patch(restore, "find_witness", nothing):
                yield

    return started()


@mutant
def a_clone_is_of_another_backup() -> Any:
    original = beginning._chosen

    def choose(rows: list[Backup], wanted: dict[str, Any]) -> Backup | None:
        found = original(rows, wanted)
        return found and next((row for row in rows if row != found), found)

    return patch(beginning, "_chosen", choose)


@mutant
def a_clone_keeps_the_witness() -> Any:
    @contextmanager
    def kept() -> Iterator[None]:
        with patch(beginning, "wipe", nothing), patch(ghosts, "wipe", nothing):
            yield

    return kept()
