"""Bulk runs: one action on many service instances, a few at a time.

The worker goes through the items; the rows hold all that it knows, so that any worker
can go on after a crash.
"""

import uuid
from collections.abc import Collection

from django.db import models
from django.db.models.functions import Now

from instances.models.operation import Operation
from instances.models.service_instance import ServiceInstance
from instances.models.state import StatefulModel


class BulkAction(models.TextChoices):
    BACK_UP = "back_up", "back up"
    RESTART = "restart"
    UPGRADE = "upgrade"
    DEPROVISION = "deprovision"


class RunState(models.TextChoices):
    PLANNED = "planned", "not confirmed yet"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class ItemState(models.TextChoices):
    WAITING = "waiting"
    STARTED = "started", "under way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class BulkRun(StatefulModel):
    """What an operator wants done to many."""

    State = RunState
    Action = BulkAction

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=20, choices=BulkAction)
    state = models.CharField(max_length=20, choices=RunState, default=RunState.PLANNED)
    concurrency = models.PositiveSmallIntegerField("at a time", default=3)
    with_backup = models.BooleanField(default=True)
    """Whether a deprovision takes a final backup, where the plan keeps one."""
    reason = models.CharField(max_length=255, blank=True)
    requested_by = models.CharField(max_length=150)
    """The operator's name."""
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "created_at"])]

    def __str__(self) -> str:
        return f"{self.get_action_display()} in bulk"

    @property
    def is_over(self) -> bool:
        return self.state in (RunState.CANCELLED, RunState.FINISHED)

    def counts(self) -> dict[str, int]:
        """How many items are in each state that any is in."""
        rows = self.items.order_by().values_list("state")
        return dict(rows.annotate(number=models.Count("pk")))

    def steer(self, to: str, *, only_from: Collection[str]) -> bool:
        """Change its state if it still is in one of these; whether it was."""
        rows = BulkRun.objects.filter(pk=self.pk, state__in=only_from)
        changes = {"started_at": Now()} if self.state == RunState.PLANNED else {}
        if to in (RunState.CANCELLED, RunState.FINISHED):
            changes["finished_at"] = Now()
        if not rows.update(state=to, **changes):
            return False
        self.state = to
        return True


class BulkItem(models.Model):
    """One service instance of a run, and how it went."""

    State = ItemState

    run = models.ForeignKey(BulkRun, on_delete=models.CASCADE, related_name="items")
    instance = models.ForeignKey(
        ServiceInstance, on_delete=models.CASCADE, related_name="bulk_items"
    )
    position = models.PositiveIntegerField()
    state = models.CharField(
        max_length=20, choices=ItemState, default=ItemState.WAITING
    )
    operation = models.ForeignKey(
        Operation, on_delete=models.SET_NULL, null=True, related_name="bulk_items"
    )
    reason = models.TextField(blank=True)
    """Why it went as it did, for the operator."""

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "instance"], name="once_in_each_bulk_run"
            )
        ]
        indexes = [models.Index(fields=["run", "state", "position"])]

    def __str__(self) -> str:
        return f"{self.run}: {self.instance}"

    def settle(self, state: str, reason: str = "") -> None:
        """Write how it went, unless another worker has."""
        rows = BulkItem.objects.filter(
            pk=self.pk, state__in=(ItemState.WAITING, ItemState.STARTED)
        )
        rows.update(state=state, reason=reason[:2000])
