"""Re-create user: a binding's user that is not in its database any more.

It is an operation of the binding, so that an unbind overtakes it as it does a bind, and
drops what it may have made.
"""

from django.db import transaction

from instances import errors, transactions
from instances.engines import get_engine
from instances.models import (
    WORKER,
    AuditEvent,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import bind, hosts
from instances.operations.work import Verb, Work


@transactions.repeated
@transaction.atomic
def accept(binding: ServiceBinding) -> Operation:
    """Record the wish. Raise ConcurrencyError if something else is done to it."""
    instance = ServiceInstance.objects.select_for_update().get(pk=binding.instance_id)
    binding.refresh_from_db()
    if Operation.objects.excluding(instance) or not binding.is_usable:
        raise errors.ConcurrencyError(detail=f"{binding} is not as it was")
    AuditEvent.record(WORKER, "re-create user", instance, binding=binding.guid)
    return Operation.objects.enqueue(
        Kind.RECREATE_USER, instance, binding=binding, actor=WORKER
    )


def _perform(work: Work) -> None:
    binding, instance = work.operation.binding, work.operation.instance
    assert binding is not None and instance.container is not None
    container = instance.container
    if binding.is_usable:
        work.step(bind.STEP)
        user = bind.user_of(binding, instance)
        get_engine(container.engine).create_user(hosts.endpoint(container), user)
    with work.succeeding():
        pass


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """The next look at the database finds it missing again."""
    with work.failing(error):
        pass


VERB = Verb(
    perform=_perform, give_up=_give_up, clean_up=bind.VERB.clean_up, max_attempts=3
)
