"""Unbind: end a database user and its sessions, for good."""

from django.db import transaction
from django.db.models.functions import Now

from instances import errors, transactions
from instances.engines import find_configurable, get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
    Tombstone,
)
from instances.operations import hosts
from instances.operations.catalog import check_plan
from instances.operations.turns import recording
from instances.operations.waiting import until_free
from instances.operations.work import Verb, Work

GONE = "This service binding does not exist any more."


def accept(
    *,
    instance_guid: str,
    guid: str,
    offering_id: str,
    plan_id: str,
    actor: Actor,
    owner: str,
) -> Operation:
    """Record the wish, or take up one that waits; claimed by the owner.

    A bind that is under way is cancelled. Raise Gone, InvalidRequest,
    ConcurrencyError.
    """

    def attempt() -> Operation:
        # Read before: on SQLite, a transaction keeps all others waiting.
        instance, binding = _read(instance_guid, guid)
        check_plan(instance, offering_id=offering_id, plan_id=plan_id, or_former=True)
        return _recorded(instance, binding, actor, owner)

    try:
        return until_free(attempt)
    except errors.Gone:
        if not _has_appeared(instance_guid, guid):
            raise
    # A bind was just being recorded.
    return until_free(attempt)


def _recorded(
    instance: ServiceInstance, binding: ServiceBinding, actor: Actor, owner: str
) -> Operation:
    with recording():
        # Operations before their instance, as everywhere: see Work.fenced().
        under_way = Operation.objects.find_under_way(binding)
        ServiceInstance.objects.lock(instance)
        if under_way is not None and under_way.kind == Kind.UNBIND:
            return _taken_up(under_way, owner)
        _refuse_excluded(instance)
        if under_way is not None:
            binding.operations.all().cancel("The service binding is being deleted.")
        binding.move(
            ServiceBinding.State.DELETING,
            only_from=(
                ServiceBinding.State.CREATING,
                ServiceBinding.State.READY,
                ServiceBinding.State.EXPIRED,
                ServiceBinding.State.DELETING,
            ),
        )
        AuditEvent.record(actor, "unbind", instance, binding=binding.guid)
        return Operation.objects.enqueue(
            *(Kind.UNBIND, instance),
            binding=binding,
            actor=actor,
            owner=owner,
            step=step_of(instance.plan.offering.engine),
        )


@transactions.repeated
def _has_appeared(instance_guid: str, guid: str) -> bool:
    """Look again, behind a bind's lock; what never was leaves a tombstone."""
    with transaction.atomic():
        instance = ServiceInstance.objects.find_live(instance_guid)
        if instance is not None:
            ServiceInstance.objects.select_for_update().get(pk=instance.pk)
            if ServiceBinding.objects.find_live(instance, guid) is not None:
                return True
            # To the letter, as not every database compares.
            alike = instance.bindings.filter(guid=guid)
            if guid in alike.values_list("guid", flat=True):
                return False
        Tombstone.objects.bury(instance_guid, guid)
        return False


def _read(instance_guid: str, guid: str) -> tuple[ServiceInstance, ServiceBinding]:
    try:
        instance = ServiceInstance.objects.get_live(instance_guid)
        return instance, ServiceBinding.objects.get_live(instance, guid)
    except errors.NotFound:
        raise errors.Gone(GONE) from None


def _taken_up(waiting: Operation, owner: str) -> Operation:
    """Go on with one that failed before. Raise ConcurrencyError if it is running."""
    if not waiting.claim(owner, even_waiting=True):
        raise errors.ConcurrencyError
    return waiting


def _refuse_excluded(instance: ServiceInstance) -> None:
    """An exclusive operation goes first; a failed instance can still be unbound."""
    if Operation.objects.excluding(instance):
        raise errors.ConcurrencyError


def _perform(work: Work) -> None:
    binding, instance = work.operation.binding, work.operation.instance
    assert binding is not None
    container = instance.container
    if container is not None and container.state != Container.State.GONE:
        work.step(step_of(container.engine))
        drop_user(container, binding)
    with work.succeeding():
        binding.move(
            ServiceBinding.State.GONE,
            only_from=(ServiceBinding.State.DELETING,),
            live_key=None,
            gone_at=Now(),
            password="",
            credentials={},
        )


def step_of(engine: str) -> str:
    if find_configurable(engine):
        return "revoking nothing: other bindings share the credentials"
    return "dropping the user and ending its sessions"


def drop_user(container: Container, binding: ServiceBinding) -> None:
    """Raise EngineUnreachable, unless the container is gone and the user with it.

    A stopped one may come back, and the credentials with it (FAILURES F71).
    """
    engine = get_engine(container.engine)
    try:
        engine.drop_user(hosts.endpoint(container), binding.username)
    except errors.EngineUnreachable:
        if not hosts.is_absent(container):
            raise


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Never called: a revocation is never given up (FAILURES F26, F71)."""
    work.operation.retry_later(error, delay_s=60)


def _clean_up(work: Work) -> None:
    """Whoever has taken over drops the user itself."""


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=None)
