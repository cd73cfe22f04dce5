"""Time that passes because a test says so."""

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from typing import Any
from unittest import mock

from django.apps import apps
from django.db import connection, models
from django.db.models import F
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery

from instances.models import Container

WAITING = ("starting", "back_up", "proof", "copying", "waiting")
"""Modules of operations that sleep until something has happened."""


def pass_time(seconds: float) -> None:
    """Every moment in the rows lies so much further back."""
    with connection.cursor() as cursor:
        for sql, params in _statements(seconds):
            cursor.execute(sql, params)


@cache
def _statements(seconds: float) -> list[tuple[str, Any]]:
    """One for each table; compiling them would take longer than executing them."""
    past, found = timedelta(seconds=seconds), []
    for model in apps.get_app_config("instances").get_models():
        names = [
            field.name
            for field in model._meta.local_concrete_fields
            if isinstance(field, models.DateTimeField)
        ]
        if names:
            query = model._base_manager.all().query.chain(UpdateQuery)
            query.add_update_values({name: F(name) - past for name in names})
            found.append(query.get_compiler("default").as_sql())
    return found


def expire_claims() -> None:
    """As if every worker that starts a standby had been dead for long."""
    claimed = Container.objects.filter(claimed_until__isnull=False)
    claimed.update(claimed_until=Now() - timedelta(seconds=1))


class Clock:
    """Whoever sleeps finds, when it wakes up, that the time has passed."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        # Many short looks would take long, and each sees the same.
        self._now += max(seconds, 5.0)


@contextmanager
def no_waiting() -> Iterator[None]:
    clock = Clock()
    with ExitStack() as stack:
        for name in WAITING:
            module = importlib.import_module(f"instances.operations.{name}")
            stack.enter_context(mock.patch.object(module, "time", clock))
        yield
