"""Broken products, by name: each is what a slip of the pen would make of it.

The histories must find every one. What they cannot see from outside is not here: a
reconciliation that repairs a mistake within a minute makes it none.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from instances import errors
from instances.engines import get_engine, new_secret
from instances.models import Backup, Container, Kind, Operation, PortLease
from instances.models.operation import OperationQuerySet
from instances.models.service_instance import ServiceInstanceQuerySet
from instances.operations import (
    back_up,
    bind,
    execution,
    ghosts,
    hosts,
    provision,
    recreate_user,
    restore,
    retention,
    starting,
    swap,
    unbind,
    update,
)
from osbapi import responses
from tests.fakes.commits import MemoryCommits
from tests.fakes.engine import FakeEngine

patch = mock.patch.object
Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: dict[str, Mutant] = {}


def mutant(make: Callable[..., Any]) -> Callable[..., Any]:
    MUTANTS[make.__name__] = make
    return make


def nothing(*_: Any, **__: Any) -> None:
    pass


def verb(kind: str, **parts: Any) -> AbstractContextManager[Any]:
    changed = replace(execution.VERBS[kind], **parts)
    return mock.patch.dict(execution.VERBS, {kind: changed})


# Credentials.


@mutant
def unbind_ignores_a_silent_engine() -> Any:
    def drop(container: Container, binding: Any) -> None:
        try:
            get_engine(container.engine).drop_user(
                hosts.endpoint(container), binding.username
            )
        except errors.EngineUnreachable:
            pass

    return patch(unbind, "drop_user", drop)


@mutant
def unbind_drops_nobody() -> Any:
    return patch(unbind, "drop_user", nothing)


@mutant
def unbind_drops_another() -> Any:
    original = unbind.drop_user

    def drop(container: Container, binding: Any) -> None:
        others = binding.instance.bindings.filter(state="ready")
        original(container, others.exclude(pk=binding.pk).first() or binding)

    return patch(unbind, "drop_user", drop)


@mutant
def bind_makes_no_user() -> Any:
    return patch(FakeEngine, "create_user", nothing)


@mutant
def a_repeated_bind_gets_another_password() -> Any:
    original = bind._repeat

    def repeat(existing: Any, wish: Any) -> Any:
        found = original(existing, wish)
        found.credentials = {**found.credentials, "password": wish.password}
        return found

    return patch(bind, "_repeat", repeat)


@mutant
def a_late_bind_keeps_its_user() -> Any:
    @contextmanager
    def both() -> Iterator[None]:
        with verb(Kind.BIND, clean_up=nothing), patch(ghosts, "drop", nothing):
            yield

    return both()


@mutant
def ghosts_stay() -> Any:
    return patch(ghosts, "drop", nothing)


@mutant
def a_restore_lets_nobody_in() -> Any:
    def drop_all(instance: Any, container: Container) -> None:
        engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
        for name in engine.users(endpoint):
            engine.drop_user(endpoint, name)

    return patch(restore, "let_in", drop_all)


@mutant
def a_restore_forgets_the_users() -> Any:
    """And reconciliation, which would make it good, does not."""

    @contextmanager
    def both() -> Iterator[None]:
        with patch(restore, "let_in", nothing), patch(recreate_user, "accept", nothing):
            yield

    return both()


# Ports and containers.


@mutant
def a_port_is_free_before_its_container_is_gone() -> Any:
    def remove(container: Container) -> None:
        lease = getattr(container, "lease", None)
        if lease is not None:
            lease.release()
        hosts.connect(container.host).remove(container.name)
        Container.objects.mark_gone(container)

    return patch(hosts, "remove", remove)


@mutant
def a_port_is_never_given_back() -> Any:
    return patch(PortLease, "release", nothing)


@mutant
def a_removal_removes_the_row_alone() -> Any:
    def remove(container: Container) -> None:
        lease = getattr(container, "lease", None)
        if lease is not None:
            lease.release()
        Container.objects.mark_gone(container)

    return patch(hosts, "remove", remove)


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
def a_name_is_another_at_each_try() -> Any:
    def name(container: Container) -> str:
        return f"brokersite-{uuid.uuid4().hex}"

    return patch(Container, "name", property(name))


@mutant
def late_creates_stay() -> Any:
    return patch(hosts, "remove_if_unwanted", nothing)


@mutant
def the_first_port_is_always_free() -> Any:
    def reserve(rows: Any, container: Any, host: Any) -> PortLease:
        return rows.create(host=host, number=host.port_min, container=container)

    return patch(type(PortLease.objects.all()), "reserve", reserve)


@mutant
def a_ready_database_moves_to_a_free_port() -> Any:
    original = hosts.start_again

    def start_again(container: Container) -> None:
        try:
            original(container)
        except errors.PortTaken:
            hosts.connect(container.host).remove(container.name)
            container.lease.release()
            container.lease = PortLease.objects.reserve(container, container.host)
            hosts.connect(container.host).create(hosts.spec(container))
            hosts.connect(container.host).start(container.name)

    return patch(hosts, "start_again", start_again)


@mutant
def a_stopped_database_stays_down() -> Any:
    return patch(hosts, "start_again", nothing)


# Operations.


@mutant
def nobody_looks_at_the_lease() -> Any:
    def write(operation: Operation, **changes: Any) -> None:
        Operation.objects.filter(pk=operation.pk).update(**changes)
        for name, value in changes.items():
            setattr(operation, name, value)
        operation.forget("leased_until", "not_before", "finished_at")

    return patch(Operation, "write", write)


@mutant
def a_deletion_cancels_nothing() -> Any:
    return patch(OperationQuerySet, "cancel", lambda rows, reason: 0)


@mutant
def a_failed_provision_keeps_its_container() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            work.operation.instance.move("failed", only_from=("provisioning",))

    return verb(Kind.PROVISION, give_up=give_up, clean_up=nothing)


@mutant
def a_failed_restore_is_not_undone() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            back_up.abandon(work.operation, str(error))

    return verb(Kind.RESTORE, give_up=give_up, clean_up=nothing)


@mutant
def a_deletion_is_given_up() -> Any:
    return verb(Kind.DEPROVISION, max_attempts=2, give_up=_fail)


@mutant
def a_revocation_is_given_up() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            work.operation.binding.move(
                "gone", only_from=("deleting",), live_key=None, password=""
            )

    return verb(Kind.UNBIND, max_attempts=1, give_up=give_up)


def _fail(work: Any, error: errors.BrokerError) -> None:
    with work.failing(error):
        pass


@mutant
def an_update_forgets_the_limits() -> Any:
    return patch(update, "reserve", nothing)


@mutant
def another_wish_under_an_id_is_a_repeat() -> Any:
    def repeat(existing: Any, wish: Any) -> Operation:
        return existing.operations.filter(kind=Kind.PROVISION).latest("created_at")

    return patch(provision, "_repeat", repeat)


@mutant
def a_failed_instance_is_unknown() -> Any:
    original = ServiceInstanceQuerySet.find_live

    def find(rows: Any, guid: str) -> Any:
        found = original(rows, guid)
        return None if found is not None and found.state == "failed" else found

    return patch(ServiceInstanceQuerySet, "find_live", find)


@mutant
def every_poll_says_succeeded() -> Any:
    states = dict.fromkeys(Operation.State, "succeeded")
    return patch(responses, "_STATES", states)


@mutant
def provision_is_over_when_it_is_created() -> Any:
    return patch(starting, "wait_until_ready", nothing)


# Backups.


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

    return patch(swap, "_pass_port", pass_port)


@mutant
def a_restore_gives_each_user_another_password() -> Any:
    original = restore.user_of

    def user_of(binding: Any, instance: Any) -> Any:
        return replace(original(binding, instance), password=new_secret())

    return patch(restore, "user_of", user_of)
