"""Deprovision: remove everything of an instance, however far it had got."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
    ServicePlan,
    Tombstone,
)
from instances.models.backup import Trigger
from instances.operations import back_up, hosts, levels
from instances.operations.starting import wait_until_ready
from instances.operations.work import Verb, Work

logger = logging.getLogger(__name__)

FINAL_BACKUP_TRIES = 4
"""Then the database goes without one: its deletion has been asked for."""


@transactions.repeated
def find_or_bury(guid: str, plan_id: str) -> ServiceInstance | None:
    """The live one; what never was leaves a tombstone (FAILURES F5).

    Behind the lock that a provision of the plan takes: it comes first and is seen, or
    comes later and sees the tombstone. One of another plan is not what is deleted.
    """
    if ServiceInstance.objects.find_last(guid) is not None:
        return ServiceInstance.objects.find_live(guid)
    with transaction.atomic():
        ServicePlan.objects.lock(plan_id)
        instance = ServiceInstance.objects.find_live(guid)
        if instance is None:
            Tombstone.objects.bury(guid)
        return instance


@transactions.repeated
def accept(
    instance: ServiceInstance,
    *,
    actor: Actor,
    owner: str = "",
    with_backup: bool = True,
) -> tuple[Operation, bool]:
    """Record the wish, and cancel whatever else is under way.

    Return the operation and whether this call has created it: a deprovision
    that is under way is joined. With a backup, if the plan keeps a final one.
    """
    with transaction.atomic():
        # Operations before their instance, as everywhere: see Work.fenced().
        others = instance.operations.exclude(kind=Kind.DEPROVISION)
        others.cancel("The service instance is being deleted.")
        ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        under_way = _under_way(instance)
        if under_way is not None:
            return under_way, False
        instance.refresh_from_db()
        if instance.state == ServiceInstance.State.GONE:
            raise errors.Gone("This service instance does not exist any more.")
        operation = Operation.objects.enqueue(
            Kind.DEPROVISION, instance, actor=actor, owner=owner
        )
        state = ServiceInstance.State
        was_ready = instance.state == state.READY and instance.container_id is not None
        instance.move(
            state.DEPROVISIONING,
            only_from=(
                state.PROVISIONING,
                state.READY,
                state.FAILED,
                state.DEPROVISIONING,
            ),
        )
        AuditEvent.record(actor, "deprovision", instance)
        wanted = with_backup and instance.plan.final_backup_days
        if was_ready and wanted and back_up.is_possible(instance):
            days = timedelta(days=instance.plan.final_backup_days)
            back_up.record(
                operation,
                trigger=Trigger.DEPROVISION,
                expires_at=timezone.now() + days,
            )
        return operation, True


def _under_way(instance: ServiceInstance) -> Operation | None:
    rows = instance.operations.unfinished().filter(kind=Kind.DEPROVISION)
    return rows.first()


def _perform(work: Work) -> None:
    instance = work.operation.instance
    if instance.container is not None:
        _take_final_backup(work, instance.container)
    left = []
    for container in _containers(instance):
        with work.fenced():
            container.retire()
        if not _remove(work, container):
            left.append(container)
    with work.succeeding():
        levels.record_debts(instance, left)
        # Binds and unbinds that were recorded just before this deletion was.
        instance.operations.all().cancel("The service instance has been deleted.")
        instance.bindings.exclude(state=ServiceBinding.State.GONE).update(
            state=ServiceBinding.State.GONE,
            live_key=None,
            gone_at=Now(),
            password="",  # the user went with the container
            credentials={},
        )
        instance.move(
            ServiceInstance.State.GONE,
            only_from=(ServiceInstance.State.DEPROVISIONING,),
            live_key=None,
            gone_at=Now(),
        )


def _remove(work: Work, container: Container) -> bool:
    """Whether it is gone. Raise HostUnreachable, unless that is to stop nothing."""
    is_lost = bool(container.host.problem) or container.host.is_quarantined
    if is_lost and levels.level_of(work.operation) == levels.Level.FORGET:
        with work.fenced(f"forgetting the container on {container.host}"):
            levels.forget(container)
        return True
    work.step(f"removing the container from {container.host}")
    try:
        hosts.remove(container)
    except errors.BrokerError as error:
        if isinstance(error, errors.HostUnreachable):
            hosts.note_failure(container.host, error)
        # Read anew: it may have been asked for while this attempt waited.
        if levels.level_of(work.operation) == levels.Level.ORDINARY:
            raise
        work.step(f"leaving the container on {container.host}, until that answers")
        work.operation.explain(error.detail)
        return False
    return True


def _take_final_backup(work: Work, container: Container) -> None:
    """The deletion is not given up for it, nor the backup for a host that is down."""
    if levels.level_of(work.operation) == levels.Level.FORGET:
        return back_up.abandon(work.operation, "the host is given up")
    if container.state != Container.State.IN_USE:
        return back_up.abandon(work.operation, "the database did not run")
    for backup in work.operation.backups.all():
        try:
            _wake(work, container)
            back_up.take(work, backup, container)
        except errors.Stopped:
            raise
        except errors.BrokerError as error:
            is_refused = isinstance(error, errors.HostRefused)
            is_down = isinstance(error, errors.HostUnreachable) and not is_refused
            is_early = work.operation.tries < FINAL_BACKUP_TRIES
            if isinstance(error, errors.HostUnreachable) and is_down:
                hosts.note_failure(container.host, error)
            is_forced = levels.level_of(work.operation) != levels.Level.ORDINARY
            is_to_wait = is_down or (isinstance(error, errors.Transient) and is_early)
            if is_to_wait and not is_forced:
                raise
            logger.warning("backup=%s is given up: %s", backup.pk, error.detail)
            back_up.abandon(work.operation, error.detail or str(error))


def _wake(work: Work, container: Container) -> None:
    """Start what an operator has stopped: a backup takes a login."""
    if container.stopped_at is None:
        return
    with work.fenced("starting the stopped database for its final backup"):
        Container.objects.filter(pk=container.pk).update(stopped_at=None)
    hosts.start_again(container)
    wait_until_ready(container, step=work.step, check=work.check)
    container.stopped_at = None


def _containers(instance: ServiceInstance) -> list[Container]:
    """Its own, and what was to take its place."""
    if instance.container is None:
        return []
    successors = instance.container.successors.select_related("host")
    family = [*successors, instance.container]
    return [row for row in family if row.state != Container.State.GONE]


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Never called: a deletion is never given up (FAILURES F6, F26)."""
    work.operation.retry_later(error, delay_s=60)


def _clean_up(work: Work) -> None:
    """A removal that comes late has removed what was to be removed."""


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=None)
