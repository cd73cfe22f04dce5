"""Expire: end a binding's user when its time is over; the binding itself stays.

The platform deletes it when it likes, and may fetch it until then (OSB 2.17, Binding
Metadata Object).
"""

from contextlib import suppress

from django.db import transaction

from instances import errors, transactions
from instances.models import (
    WORKER,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations.unbind import drop_user
from instances.operations.work import Verb, Work

AT_ONCE = 100
"""So many in a round: a flood of them must not keep the house from being kept."""


def expire_overdue() -> None:
    """Record the end of every binding whose time is over."""
    of_ready = ServiceBinding.objects.overdue().filter(
        instance__state=ServiceInstance.State.READY
    )
    for binding in of_ready.order_by("expires_at")[:AT_ONCE]:
        # The next round looks again.
        with suppress(errors.ConcurrencyError):
            _accept(binding)


@transactions.repeated
@transaction.atomic
def _accept(binding: ServiceBinding) -> None:
    """Raise ConcurrencyError if something else is done to it or to its instance."""
    instance = ServiceInstance.objects.select_for_update().get(pk=binding.instance_id)
    if Operation.objects.excluding(instance):
        raise errors.ConcurrencyError(detail=f"{instance} is being worked on")
    state = ServiceBinding.State
    binding.move(state.EXPIRED, only_from=(state.READY,))
    AuditEvent.record(WORKER, "expire", instance, binding=binding.guid)
    Operation.objects.enqueue(Kind.EXPIRE, instance, binding=binding, actor=WORKER)


def _perform(work: Work) -> None:
    binding, container = work.operation.binding, work.operation.instance.container
    assert binding is not None
    if container is not None and container.state != Container.State.GONE:
        work.step("dropping the user and ending its sessions")
        drop_user(container, binding)
    with work.succeeding():
        # What the platform was told stays; no user is made of it again.
        ServiceBinding.objects.filter(
            pk=binding.pk, state=ServiceBinding.State.EXPIRED
        ).update(password="")


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Never called: a revocation is never given up (FAILURES F26, F71)."""
    work.operation.retry_later(error, delay_s=60)


def _clean_up(work: Work) -> None:
    """Whoever has taken over drops the user itself."""


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=None)
