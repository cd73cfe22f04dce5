"""Containers that wait for an instance."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from instances.models import Container, Finding
from instances.models.container import ContainerQuerySet
from instances.operations.reconcile.settling import SETTLERS
from instances.operations.standby import Standbys
from tests.stateful.mutants.base import mutant, nothing, patch


@mutant
def nobody_looks_at_a_standby_s_claim() -> Any:
    def stand_by(container: Container) -> None:
        Container.objects.filter(pk=container.pk).update(
            state="standby", claimed_until=None
        )

    @contextmanager
    def both() -> Iterator[None]:
        with patch(Container, "hold", nothing), patch(Container, "stand_by", stand_by):
            yield

    return both()


@mutant
def a_standby_is_handed_out_and_stays_one() -> Any:
    def claim(rows: Any, plan: Any) -> Container | None:
        found = Container.objects.filter(state="standby", plan=plan).first()
        if found is not None:
            found.state = "adopting"
        return found

    return patch(ContainerQuerySet, "claim_standby", claim)


@mutant
def a_lost_standby_is_counted() -> Any:
    kind = Finding.Kind.NO_STANDBY
    return mock.patch.dict(SETTLERS, {kind: nothing})


@mutant
def too_many_standbys_stay() -> Any:
    return patch(Container, "dismiss", lambda container: False)


@mutant
def no_standby_is_started() -> Any:
    return patch(Standbys, "replenish", lambda standbys: False)
