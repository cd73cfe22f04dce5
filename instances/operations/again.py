"""Retry and cancel: what an operator may do with an operation of another's.

A retry is a new operation: the failed one stays as history. Not of what a platform has
been answered: it has drawn its conclusions, and begins anew itself.
"""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from instances import errors, transactions
from instances.models import Actor, AuditEvent, Kind, Operation
from instances.models.backup import Trigger
from instances.models.operation_kind import CANCELLABLE
from instances.operations import back_up, rotate_secret, run_state, update

Accept = Callable[[Operation, Actor], Operation | None]


def retry(operation: Operation, *, actor: Actor) -> Operation:
    """Record the same wish again. Raise InvalidRequest, and what accepting it does."""
    reason = why_not_again(operation)
    if reason:
        raise errors.InvalidRequest(reason)
    again = _ACCEPTS[operation.kind](operation, actor)
    if again is None:
        raise errors.InvalidRequest("There is nothing left to do.")
    return again


def why_not_again(operation: Operation) -> str:
    """Empty if it can be retried."""
    if operation.state != Operation.State.FAILED:
        return "Only what has failed can be retried."
    if operation.kind not in _ACCEPTS:
        return (
            "The platform has been told that this has failed, and tries again itself."
        )
    later = Operation.objects.filter(
        instance=operation.instance_id, created_at__gt=operation.created_at
    )
    if later.filter(kind=operation.kind).exists():
        return "Something newer of this kind has been asked for since."
    return ""


def _back_up(operation: Operation, actor: Actor) -> Operation:
    former = operation.backups.first()
    wish = {"note": former.note, "method": former.method} if former else {}
    return back_up.accept(
        operation.instance, trigger=Trigger.OPERATOR, actor=actor, **wish
    ).operation


def _update(operation: Operation, actor: Actor) -> Operation | None:
    instance, request = operation.instance, operation.request
    _, again = update.accept(
        guid=instance.guid,
        offering_id=instance.plan.offering_id,
        plan_id=request["plan_id"],
        wanted=request["parameters"],
        context={},
        maintenance_version="",
        actor=actor,
        as_planned=request["as_planned"],
    )
    return again


def _run_state(operation: Operation, actor: Actor) -> Operation:
    return run_state.accept(operation.instance, Kind(operation.kind), actor=actor)


def _rotate(operation: Operation, actor: Actor) -> Operation:
    return rotate_secret.accept(operation.instance, actor=actor)


_ACCEPTS: dict[Any, Accept] = {
    Kind.BACK_UP: _back_up,
    Kind.UPDATE: _update,
    Kind.RESTART: _run_state,
    Kind.STOP: _run_state,
    Kind.ROTATE_SECRET: _rotate,
}
"""Not a restore: what it would bring back is to be looked at again."""


@transactions.repeated
def cancel(operation: Operation, *, actor: Actor) -> None:
    """Ask for its end at its next step: what there was is put back.

    Raise InvalidRequest if it has ended, or is of a kind that has to end by itself.
    """
    reason = why_not_cancelled(operation)
    if reason:
        raise errors.InvalidRequest(reason)
    with transaction.atomic():
        rows = Operation.objects.unfinished().filter(pk=operation.pk)
        if not rows.filter(cancel_asked=False).update(cancel_asked=True):
            raise errors.InvalidRequest("It has ended, or its end has been asked for.")
        rows.filter(state=Operation.State.QUEUED).update(not_before=Now())
        AuditEvent.record(
            actor,
            "cancel",
            operation.instance,
            operation=str(operation.pk),
            kind=operation.kind,
        )


def why_not_cancelled(operation: Operation) -> str:
    """Empty if it can be cancelled."""
    if operation.is_finished:
        return "It has ended already."
    if operation.kind not in CANCELLABLE:
        return "Nothing of this kind is broken off: it ends by itself, or is overtaken."
    if operation.cancel_asked:
        return "Its end has been asked for: it comes at its next step."
    return ""
