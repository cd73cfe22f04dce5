"""Who may log in, and who may not any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from instances import errors
from instances.engines import get_engine
from instances.models import Container, Kind
from instances.operations import (
    bind,
    ghosts,
    hosts,
    recreate_user,
    restore,
    unbind,
)
from tests.fakes.engine import FakeEngine
from tests.stateful.mutants.base import mutant, nothing, patch, verb


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
