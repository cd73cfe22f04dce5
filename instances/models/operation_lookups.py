"""How operations are looked up: by nearly every request, so each is compiled once."""

import uuid
from datetime import datetime
from typing import Any, Self, TypeVar

from django.apps import apps
from django.db import models

from instances.models.operation_kind import EXCLUSIVE, WISHED
from instances.models.prepared import Prepared, Slot
from instances.models.service_binding import ServiceBinding
from instances.models.service_instance import ServiceInstance

M = TypeVar("M", bound=models.Model)


class OperationState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (OperationState.QUEUED, OperationState.RUNNING)


class OperationLookups(models.QuerySet[M]):
    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)

    def excluding(self, instance: ServiceInstance) -> bool:
        """Whether an exclusive operation on the instance is unfinished."""
        return bool(_EXCLUDING.tuples(instance=instance.pk))

    def asked_since(self, at: datetime, kind: str, **of: Any) -> Self:
        """Those of the kind, of that instance or binding, that were recorded later."""
        return self.filter(kind=kind, created_at__gt=at, **of).order_by()

    def find_under_way(self, binding: ServiceBinding) -> M | None:
        """It, locked: an operation's row comes before its instance's."""
        return _UNDER_WAY.find(binding=binding.pk)

    def find_polled(self, key: str, pk: uuid.UUID) -> M | None:
        """That one, if a platform may ask for it of the instances with this key."""
        return _POLLED.find(key=key, pk=pk)

    def find_latest(self, instance: ServiceInstance) -> M | None:
        """What the platform wished for last."""
        return _LATEST.find(instance=instance.pk)


def _all() -> OperationLookups:
    rows: OperationLookups = apps.get_model("instances", "Operation").objects.all()
    return rows


def _polled() -> OperationLookups:
    return _all().only("kind", "state", "steps", "error")


_EXCLUDING: Prepared = Prepared(
    lambda: (
        _all()
        .unfinished()
        .filter(exclusive_instance=Slot("instance", models.UUIDField()))
        .order_by()
        .values_list("pk")
    )
)
_UNDER_WAY: Prepared = Prepared(
    lambda: (
        _all()
        .select_for_update()
        .filter(exclusive_binding=Slot("binding", models.UUIDField()))
        .order_by()
    )
)
_POLLED: Prepared = Prepared(
    lambda: (
        _polled()
        .filter(
            pk=Slot("pk", models.UUIDField()),
            # Of this id's former instances too: a platform may ask for an old one.
            instance__key=Slot("key", models.CharField()),
            kind__in=EXCLUSIVE,
        )
        .order_by()
    )
)
_LATEST: Prepared = Prepared(
    lambda: (
        _polled()
        .filter(instance=Slot("instance", models.UUIDField()), kind__in=WISHED)
        .order_by("-created_at")[:1]
    )
)
