"""What is kept of the data, and what comes back."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from instances.engines import get_engine, new_secret
from instances.models import (
    Backup,
    Container,
    PortLease,
)
from instances.operations import (
    hosts,
    restore,
    retention,
    succession,
)
from tests.fakes.commits import MemoryCommits
from tests.stateful.mutants.base import mutant, nothing, patch


@mutant
def a_commit_does_not_pause() -> Any:
    original = MemoryCommits.commit

    def commit(host: Any, *args: Any, **options: Any) -> str:
        return original(host, *args, **{**options, "pauses": False})

    return patch(MemoryCommits, "commit", commit)


@mutant
def images_of_failed_backups_stay() -> Any:
    return patch(retention, "sweep", nothing)


@mutant
def a_restore_takes_any_backup() -> Any:
    original = restore.fill

    def fill(work: Any, backup: Backup, successor: Container) -> None:
        rows = Backup.objects.usable().filter(instance=backup.instance)
        original(work, rows.exclude(pk=backup.pk).first() or backup, successor)

    return patch(restore, "fill", fill)


@mutant
def a_restore_begins_empty() -> Any:
    @contextmanager
    def empty() -> Iterator[None]:
        def find(backup: Backup, container: Container) -> None:
            engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
            engine.create_database(endpoint, backup.database)

        with patch(restore, "fill", nothing), patch(restore, "find_witness", find):
            yield

    return empty()


@mutant
def a_swap_loses_the_port() -> Any:
    counter = itertools.count(20050)

    def pass_port(former: Container, *, to: Container) -> None:
        if to.port is None:
            PortLease.objects.create(host=to.host, number=next(counter), container=to)
        to.refresh_from_db()

    return patch(succession, "pass_port", pass_port)


@mutant
def a_restore_gives_each_user_another_password() -> Any:
    original = restore.user_of

    def user_of(binding: Any, instance: Any) -> Any:
        return replace(original(binding, instance), password=new_secret())

    return patch(restore, "user_of", user_of)
