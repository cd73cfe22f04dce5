"""Operations: queue entry, last_operation answer and history in one row."""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from instances import errors, transactions
from instances.models.audit_event import Actor
from instances.models.docker_host import DockerHost
from instances.models.operation_kind import EXCLUSIVE, URGENT, Kind
from instances.models.operation_lookups import (
    UNFINISHED,
    OperationLookups,
    OperationState,
)
from instances.models.operation_queue import due_now, lease, step_of
from instances.models.service_binding import ServiceBinding
from instances.models.service_instance import ServiceInstance


class OperationQuerySet(OperationLookups["Operation"]):
    def claimable(self) -> "OperationQuerySet":
        """Due, or left behind by an owner whose lease has run out.

        Only of kinds that this release knows: a later one runs beside it (F122).
        """
        return self.filter(kind__in=Kind.values).filter(
            Q(state=OperationState.QUEUED, not_before__lte=Now())
            | Q(state=OperationState.RUNNING, leased_until__lt=Now())
        )

    def enqueue(
        self,
        kind: Kind,
        instance: ServiceInstance,
        *,
        actor: Actor,
        binding: ServiceBinding | None = None,
        request: dict[str, Any] | None = None,
        owner: str = "",
        step: str = "",
    ) -> "Operation":
        """Record the work, claimed at once if an owner is given, with its first step.

        Raise ConcurrencyError if an operation that excludes it is unfinished.
        Belongs into the transaction that records what the work is about, which is
        lost then.
        """
        operation = Operation(
            kind=kind,
            instance=instance,
            binding=binding,
            request=request or {},
            exclusive_instance=instance if kind in EXCLUSIVE else None,
            exclusive_binding=binding,
            is_urgent=kind in URGENT,
            requested_by=f"{actor.kind} {actor.name}"[:255],
            request_id=actor.request_id[:255],
            not_before=Now(),  # the database's clock, not this process's
            deadline_at=Now() + timedelta(seconds=instance.plan.operation_deadline_s),
        )
        if owner:
            operation.state = OperationState.RUNNING
            operation.owner, operation.attempts = owner, 1
            operation.started_at = Now()
            operation.leased_until = Now() + lease()
            operation.steps = [step_of(step)] if step else []
        try:
            operation.save(force_insert=True)
        except IntegrityError:
            raise errors.ConcurrencyError(
                detail=f"{instance} has an unfinished operation"
            ) from None
        operation.forget("not_before", "deadline_at", "started_at", "leased_until")
        return operation

    def claim_next(
        self, owner: str, *, except_on: Collection[int | None] = ()
    ) -> "Operation | None":
        """Claim what is due, deletions first; None if there is nothing.

        Except on these hosts; None among them stands for what has no container yet.
        """
        operation: Operation
        for operation in due_now(self, except_on=except_on):
            if operation.claim(owner):
                return operation
        return None

    def hurry(self, host: DockerHost) -> int:
        """Let what waits for a host be due: it answers again."""
        waiting = self.filter(state=OperationState.QUEUED)
        return waiting.filter(instance__container__host=host).update(not_before=Now())

    def renew(self, owner: str) -> int:
        """Prolong the owner's leases, but not beyond an operation's deadline (F29)."""
        running = self.filter(owner=owner, state=OperationState.RUNNING)
        return running.filter(deadline_at__gt=Now()).update(
            leased_until=Now() + lease()
        )

    def release(self, owner: str) -> int:
        """Hand the owner's operations back for anyone to go on with."""
        running = self.filter(owner=owner, state=OperationState.RUNNING)
        return running.update(
            state=OperationState.QUEUED,
            owner="",
            leased_until=None,
            not_before=Now(),
            handed_back=F("handed_back") + 1,
        )

    def cancel(self, reason: str) -> int:
        """End what is unfinished; whoever runs it stops at its next write."""
        return self.unfinished().update(
            state=OperationState.CANCELLED,
            exclusive_instance=None,
            exclusive_binding=None,
            error=reason,
            finished_at=Now(),
        )


class Operation(models.Model):
    """One piece of work on a service instance.

    Every write after the claim is fenced by (id, owner, attempt): who has lost
    the lease, or was cancelled, gets LeaseLost.
    """

    State = OperationState
    Kind = Kind

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    instance = models.ForeignKey(
        ServiceInstance, on_delete=models.PROTECT, related_name="operations"
    )
    binding = models.ForeignKey(
        ServiceBinding, on_delete=models.PROTECT, null=True, related_name="operations"
    )
    # Nullable and unique rather than a conditional constraint: MariaDB has none,
    # and Django drops them there with a mere warning.
    exclusive_instance = models.OneToOneField(
        ServiceInstance, on_delete=models.PROTECT, null=True, related_name="+"
    )
    exclusive_binding = models.OneToOneField(
        ServiceBinding, on_delete=models.PROTECT, null=True, related_name="+"
    )
    is_urgent = models.BooleanField(default=False)
    state = models.CharField(
        max_length=20, choices=OperationState, default=OperationState.QUEUED
    )
    request = models.JSONField(default=dict)
    """What is wanted, for kinds that the rows do not say it of."""
    steps = models.JSONField(default=list)
    """[{"at": ISO 8601, "text": sentence}], oldest first; "why" is for operators."""
    owner = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    handed_back = models.PositiveIntegerField(default=0)
    """How many attempts ended in an orderly stop of the process: they do not count."""
    leased_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    cancel_asked = models.BooleanField(default=False, db_default=False)
    """Whether an operator wants it given up, at its next step."""
    error = models.TextField("error for the user", blank=True)
    detail = models.TextField("detail for the operator", blank=True)
    requested_by = models.CharField(max_length=255)
    request_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [
            ("retry_operation", "Can retry operation"),
            ("cancel_operation", "Can cancel operation"),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"]),
            models.Index(fields=["instance", "created_at"]),
            models.Index(fields=["finished_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.instance}"

    @property
    def is_finished(self) -> bool:
        return self.state not in UNFINISHED

    @property
    def tries(self) -> int:
        """Attempts that count, those that ended in a crash included."""
        return self.attempts - self.handed_back

    @property
    def last_step(self) -> str:
        return str(self.steps[-1]["text"]) if self.steps else ""

    @transactions.repeated
    def claim(self, owner: str, *, even_waiting: bool = False) -> bool:
        """Take the lease if nobody else has. A waiting one is not due yet."""
        rows = Operation.objects.filter(pk=self.pk, attempts=self.attempts)
        if even_waiting:
            rows = rows.filter(state=OperationState.QUEUED)
        else:
            rows = rows.claimable()
        claimed = rows.update(
            state=OperationState.RUNNING,
            owner=owner,
            attempts=F("attempts") + 1,
            leased_until=Now() + lease(),
            started_at=Coalesce(F("started_at"), Now()),
        )
        if claimed:
            self.refresh_from_db()
        return bool(claimed)

    def is_still_to_do(self) -> bool:
        """Read it again; False if this attempt has ended. Raise LeaseLost."""
        mine, state = (self.owner, self.attempts), OperationState
        self.refresh_from_db()
        if self.attempts != mine[1] or self.state == state.CANCELLED:
            raise errors.LeaseLost(detail=f"operation {self.pk} has another owner")
        return self.state == state.RUNNING and self.owner == mine[0]

    def is_overdue(self) -> bool:
        return Operation.objects.filter(pk=self.pk, deadline_at__lte=Now()).exists()

    def write(self, **changes: Any) -> None:
        """Change the row as its owner. Raise LeaseLost if that is over."""
        held = Operation.objects.filter(
            pk=self.pk,
            owner=self.owner,
            attempts=self.attempts,
            state=OperationState.RUNNING,
        )
        if not held.update(**changes):
            raise errors.LeaseLost(detail=f"operation {self.pk} has another owner")
        for name, value in changes.items():
            setattr(self, name, value)
        self.forget("leased_until", "not_before", "finished_at")

    def forget(self, *names: str) -> None:
        """Let what the database's clock has set be read when it is asked for."""
        for name in names:
            self.__dict__.pop(name, None)

    def hold(self) -> None:
        """Prolong the lease. Raise LeaseLost."""
        self.write(leased_until=Now() + lease())

    def note(self, text: str) -> None:
        """Add a step to the progress. Raise LeaseLost."""
        if self.attempts == len(self.steps) == 1 and self.last_step == text:
            return  # Recorded with the wish, a moment ago.
        self.write(steps=[*self.steps, step_of(text)], leased_until=Now() + lease())

    def explain(self, why: str) -> None:
        """Say to operators why the latest step went as it did. Raise LeaseLost."""
        self.write(steps=[*self.steps[:-1], {**self.steps[-1], "why": why}])

    def succeed(self) -> None:
        self._finish(OperationState.SUCCEEDED, error="", detail="")

    def fail(self, error: errors.BrokerError) -> None:
        self._finish(OperationState.FAILED, error=str(error), detail=error.detail)

    def _finish(self, state: str, **changes: str) -> None:
        self.write(
            state=state,
            exclusive_instance=None,
            exclusive_binding=None,
            leased_until=None,
            finished_at=Now(),
            **changes,
        )

    def retry_later(self, error: errors.BrokerError, *, delay_s: float) -> None:
        """Back into the queue, with what went wrong this time."""
        self.write(
            state=OperationState.QUEUED,
            owner="",
            leased_until=None,
            not_before=Now() + timedelta(seconds=delay_s),
            error=str(error),
            detail=error.detail,
        )
