"""Which operations a worker may claim next."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

MOST = 8
ORDER = ("-is_urgent", "created_at")


def due_now(
    rows: models.QuerySet[Any], *, except_on: Collection[int | None]
) -> Iterable[Any]:
    """Deletions first; none on these hosts. None stands for what has no container."""
    if not except_on:
        model: Any = rows.model
        return rows.raw(*_due(model))
    known = [host for host in except_on if host is not None]
    found = rows.claimable().order_by(*ORDER)  # type: ignore[attr-defined]
    found = found.exclude(instance__container__host__in=known)
    if None in except_on:
        found = found.exclude(instance__container__isnull=True)
    return found[:MOST]  # type: ignore[no-any-return]


@cache
def _due(model: Any) -> tuple[str, tuple[Any, ...]]:
    # Compiled once: idle workers ask many times a second.
    due = model.objects.claimable().order_by(*ORDER)
    return due[:MOST].query.sql_with_params()  # type: ignore[no-any-return]


def step_of(text: str) -> dict[str, str]:
    return {"at": timezone.now().isoformat(), "text": text}


def lease() -> timedelta:
    return timedelta(seconds=settings.OPERATION_LEASE_S)
