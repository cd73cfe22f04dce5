"""Drain: move everything away from a host, a few service instances at a time.

What is to be done follows from the rows at every round: a worker that dies, or two at
once, change nothing about it, and what was impossible is tried again when it may not
be any more. It ends when an operator ends it, or removes the host.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.operations import drain_backups, drain_images, leftovers, move

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(minutes=2)
"""So long an instance whose move has failed is left where it is."""
MOST_AT_ONCE = 10
_State = DockerHost.State


@transactions.repeated
def accept(host: DockerHost, *, at_once: int, is_safe: bool, actor: Actor) -> None:
    """Record the wish; is_safe: with a backup of each before. Raise InvalidRequest."""
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise errors.InvalidRequest(f"at_once: give a number from 1 to {MOST_AT_ONCE}.")
    if host.is_quarantined:
        raise errors.InvalidRequest("host: another Docker Engine answers there.")
    with transaction.atomic():
        open_hosts = DockerHost.objects.filter(
            pk=host.pk, state__in=(_State.ACTIVE, _State.CORDONED)
        )
        if not open_hosts.update(
            state=_State.DRAINING,
            drain_since=Now(),
            drain_at_once=at_once,
            drain_is_safe=is_safe,
            drain_asked_by=f"{actor.kind} {actor.name}"[:255],
        ):
            raise errors.ConcurrencyError("It is being drained already, or removed.")
        AuditEvent.of_host(actor, "drain host", host, at_once=at_once, safe=is_safe)


@transactions.repeated
def cancel(host: DockerHost, *, to: str, actor: Actor) -> None:
    """Back to active or cordoned: what has moved stays where it is.

    What is moving goes on, and what only waits for its turn does not. Raise
    InvalidRequest, ConcurrencyError.
    """
    if to not in (_State.ACTIVE, _State.CORDONED):
        raise errors.InvalidRequest("state: give active or cordoned.")
    with transaction.atomic():
        # Operations before their instances, as everywhere: see Work.fenced().
        for operation in moves(host):
            untouched = Operation.objects.filter(pk=operation.pk, attempts=0)
            if operation.request.get("drain"):
                untouched.cancel("The drain of its host has been cancelled.")
        draining = DockerHost.objects.filter(pk=host.pk, state=_State.DRAINING)
        if not draining.update(state=to, drain_since=None):
            raise errors.ConcurrencyError("It is not being drained any more.")
        AuditEvent.of_host(actor, "cancel drain", host, state=to)


def advance(host: DockerHost) -> None:
    """One round of it. Running it twice changes nothing."""
    fresh = DockerHost.objects.filter(pk=host.pk, state=_State.DRAINING).first()
    if fresh is None:
        return
    _start_moves(fresh)
    drain_backups.carry(fresh)
    if leftovers.is_empty(fresh):
        drain_images.remove(fresh)


def moves(host: DockerHost) -> QuerySet[Operation]:
    """Those of its service instances that have not ended."""
    rows = Operation.objects.unfinished().filter(kind=Kind.MOVE)
    return rows.filter(instance__container__host=host)


def asked_by(host: DockerHost) -> str:
    """Who its moves were asked for by, as their rows have it."""
    actor = _actor(host)
    return f"{actor.kind} {actor.name}"


def _actor(host: DockerHost) -> Actor:
    return Actor(kind="worker", name=f"drain of {host}")


def _start_moves(host: DockerHost) -> None:
    free = host.drain_at_once - moves(host).count()
    if free < 1 or host.problem:
        return
    actor = _actor(host)
    for instance in _waiting(host):
        if free < 1:
            return
        try:
            move.accept(
                instance, actor=actor, is_safe=host.drain_is_safe, is_drained=True
            )
        except errors.BrokerError as error:
            logger.info("host=%s instance=%s stays: %s", host, instance.pk, error)
        else:
            free -= 1


def _waiting(host: DockerHost) -> list[ServiceInstance]:
    """Those that may move now: nothing is done to them, and nothing failed just now."""
    ready = ServiceInstance.objects.filter(
        container__host=host,
        container__state=Container.State.IN_USE,
        state=ServiceInstance.State.READY,
    )
    busy = Operation.objects.unfinished().filter(exclusive_instance__isnull=False)
    failed = Operation.objects.filter(
        kind=Kind.MOVE,
        state=Operation.State.FAILED,
        created_at__gte=host.drain_since,
        finished_at__gt=timezone.now() - RETRY_AFTER,
    )
    rows = ready.exclude(pk__in=busy.values("exclusive_instance"))
    rows = rows.exclude(pk__in=failed.values("instance"))
    # As the preview has it: the largest first.
    return list(rows.order_by("-container__memory_mb", "container__pk"))
