"""Bulk runs: begin the next ones, and note how those went that were begun.

Level-triggered: all that is known is in the rows, and several workers may look at
once. An item and its operation are recorded in one transaction, so that none is begun
twice and none is lost.
"""

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    BulkItem,
    BulkRun,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.operations import back_up, deprovision, run_state, update
from instances.operations.plan_drift import differences

logger = logging.getLogger(__name__)

MOST = 1000
MOST_DEPROVISIONED = 100
"""A slip must not empty a whole installation (SECURITY S48)."""
DRAFT_LIFETIME = timedelta(days=1)
_Run, _Item = BulkRun.State, BulkItem.State


def most(action: str) -> int:
    """How many service instances one run may have."""
    is_last = action == BulkRun.Action.DEPROVISION
    return MOST_DEPROVISIONED if is_last else MOST


@transaction.atomic
def plan(action: str, ids: Iterable[uuid.UUID], *, actor: Actor) -> BulkRun:
    """Record what is chosen: nothing is begun before start()."""
    run = BulkRun.objects.create(action=action, requested_by=actor.name[:150])
    items = [
        BulkItem(run=run, instance_id=pk, position=number)
        for number, pk in enumerate(ids)
    ]
    BulkItem.objects.bulk_create(items, batch_size=200)
    return run


@transactions.repeated
@transaction.atomic
def start(
    run: BulkRun, *, actor: Actor, concurrency: int, with_backup: bool, reason: str
) -> bool:
    """Confirm a planned one; whether nobody has before."""
    rows = BulkRun.objects.filter(pk=run.pk, state=_Run.PLANNED)
    rows.update(concurrency=concurrency, with_backup=with_backup, reason=reason)
    if not run.steer(_Run.RUNNING, only_from=(_Run.PLANNED,)):
        return False
    _audit(run, "start", actor, reason)
    return True


@transactions.repeated
@transaction.atomic
def steer(run: BulkRun, word: str, *, actor: Actor) -> bool:
    """Pause, continue or cancel it; whether that has changed anything."""
    to, only_from = {
        "pause": (_Run.PAUSED, (_Run.RUNNING,)),
        "continue": (_Run.RUNNING, (_Run.PAUSED,)),
        "cancel": (_Run.CANCELLED, (_Run.PLANNED, _Run.RUNNING, _Run.PAUSED)),
    }[word]
    # Locked, so that no worker begins another one meanwhile.
    BulkRun.objects.select_for_update().get(pk=run.pk)
    if not run.steer(to, only_from=only_from):
        return False
    if to == _Run.CANCELLED:
        waiting = run.items.filter(state=_Item.WAITING)
        waiting.update(state=_Item.CANCELLED, reason="the run was cancelled before")
    _audit(run, word, actor, "")
    return True


def _audit(run: BulkRun, word: str, actor: Actor, reason: str) -> None:
    AuditEvent.objects.create(
        actor_kind=actor.kind,
        actor_name=actor.name[:255],
        action=f"bulk run: {word}",
        target=f"{run} {run.pk}",
        changes={"instances": run.items.count(), "reason": reason},
    )


def advance() -> None:
    """Bring every run as far as it may be now. Running it twice changes nothing."""
    BulkRun.objects.filter(
        state=_Run.PLANNED, created_at__lt=timezone.now() - DRAFT_LIFETIME
    ).delete()
    going_on = BulkItem.objects.filter(state=_Item.STARTED).values("run")
    for run in BulkRun.objects.filter(pk__in=going_on):
        _settle(run)
    for run in BulkRun.objects.filter(state=_Run.RUNNING):
        while _begin_next(run):
            pass


def _settle(run: BulkRun) -> None:
    """Note how those went whose operation has ended, in a cancelled run too."""
    for item in run.items.filter(state=_Item.STARTED).select_related("operation"):
        operation = item.operation
        if operation is None:
            item.settle(_Item.FAILED, "its operation is not there any more")
        elif operation.state == Operation.State.SUCCEEDED:
            item.settle(_Item.SUCCEEDED)
        elif operation.is_finished:
            item.settle(_Item.FAILED, operation.error)


@transactions.repeated
@transaction.atomic
def _begin_next(run: BulkRun) -> bool:
    """Whether there may be another one to begin at once."""
    locked = BulkRun.objects.select_for_update().get(pk=run.pk)
    begun = locked.items.filter(state=_Item.STARTED).count()
    if locked.state != _Run.RUNNING or begun >= locked.concurrency:
        return False
    waiting = locked.items.filter(state=_Item.WAITING).select_related("instance")
    item = waiting.first()
    if item is None:
        if not begun:
            locked.steer(_Run.FINISHED, only_from=(_Run.RUNNING,))
            logger.info("bulk=%s is finished", locked.pk)
        return False
    _begin(locked, item)
    return True


def _begin(run: BulkRun, item: BulkItem) -> None:
    """Record its operation, or why there is none."""
    try:
        operation = _accept(run, item.instance)
    except errors.Gone as error:
        item.settle(_Item.SKIPPED, str(error))
    except errors.BrokerError as error:
        words = dict.fromkeys((str(error), error.detail))
        item.settle(_Item.REFUSED, " ".join(words))
    else:
        if operation is None:
            item.settle(_Item.SKIPPED, "It is as its plan says: nothing to upgrade.")
            return
        BulkItem.objects.filter(pk=item.pk).update(
            state=_Item.STARTED, operation=operation
        )


def _accept(run: BulkRun, instance: ServiceInstance) -> Operation | None:
    """None: there is nothing to do. Raise what accepting it raises."""
    actor = Actor(kind="operator", name=run.requested_by)
    action = BulkRun.Action
    if run.action == action.BACK_UP:
        backup = back_up.accept(
            instance, trigger=Trigger.OPERATOR, actor=actor, note=run.reason
        )
        return backup.operation
    if run.action == action.RESTART:
        return run_state.accept(instance, Kind.RESTART, actor=actor, reason=run.reason)
    if run.action == action.UPGRADE:
        return _upgrade(instance, actor)
    operation, _ = deprovision.accept(
        instance, actor=actor, with_backup=run.with_backup
    )
    return operation


def _upgrade(instance: ServiceInstance, actor: Actor) -> Operation | None:
    if instance.state == ServiceInstance.State.READY and not differences(instance):
        return None
    _, operation = update.accept(
        guid=instance.guid,
        offering_id=instance.plan.offering_id,
        plan_id="",
        wanted={},
        context={},
        maintenance_version="",
        actor=actor,
        as_planned=True,
    )
    return operation
