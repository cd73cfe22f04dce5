"""What is to go, with its host or without it."""

from typing import Any

from instances import errors
from instances.models import Container, DockerHost, Kind
from instances.models.operation import OperationQuerySet
from instances.operations import (
    force,
    hosts,
    levels,
)
from instances.operations.levels import Level
from tests.stateful.mutants.base import fail, mutant, patch, verb


@mutant
def a_deletion_is_given_up() -> Any:
    return verb(Kind.DEPROVISION, max_attempts=2, give_up=fail)


@mutant
def a_deletion_cancels_nothing() -> Any:
    return patch(OperationQuerySet, "cancel", lambda rows, reason: 0)


@mutant
def a_removal_ignores_a_dead_host() -> Any:
    original = hosts.remove

    def remove(container: Container) -> None:
        try:
            original(container)
        except errors.HostUnreachable:
            Container.objects.mark_gone(container)

    return patch(hosts, "remove", remove)


@mutant
def a_removal_removes_the_row_alone() -> Any:
    def remove(container: Container) -> None:
        lease = getattr(container, "lease", None)
        if lease is not None:
            lease.release()
        Container.objects.mark_gone(container)

    return patch(hosts, "remove", remove)


@mutant
def a_forced_deletion_waits_for_its_host() -> Any:
    return patch(levels, "level_of", lambda operation: Level.ORDINARY)


@mutant
def every_deletion_is_forced() -> Any:
    return patch(levels, "level_of", lambda operation: Level.FORCE)


@mutant
def a_debt_frees_its_port() -> Any:
    def record(instance: Any, left: list[Container]) -> None:
        for container in left:
            container.lease.release()

    return patch(levels, "record_debts", record)


@mutant
def a_host_that_answers_is_forgotten() -> Any:
    def all_hosts(instance: Any) -> list[DockerHost]:
        return [row.host for row in force.containers_of(instance)]

    return patch(force, "lost_hosts", all_hosts)


@mutant
def what_was_forgotten_stays() -> Any:
    def remove(container: Container) -> None:
        container.refresh_from_db()
        if container.state == Container.State.RETIRING:
            hosts.remove(container)

    return patch(hosts, "remove_if_unwanted", remove)
