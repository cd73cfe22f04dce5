"""Bind: a database user for an app."""

from datetime import datetime
from typing import Any

from instances import errors
from instances.engines import User, find_configurable, get_engine, new_secret
from instances.models import (
    WORKER,
    Actor,
    AuditEvent,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
    Tombstone,
)
from instances.models.service_binding import MADE, app_name_in, binding_key
from instances.operations import disk, hosts
from instances.operations.catalog import check_plan
from instances.operations.parameters import check as check_parameters
from instances.operations.turns import recording
from instances.operations.waiting import until_free
from instances.operations.work import Verb, Work

STEP = "creating the user"


def accept(
    *,
    instance_guid: str,
    guid: str,
    offering_id: str,
    plan_id: str,
    parameters: dict[str, Any],
    bind_resource: dict[str, Any],
    app_guid: str,
    actor: Actor,
    owner: str,
    predecessor_guid: str = "",
    asked_at: datetime | None = None,
) -> tuple[ServiceBinding, Operation | None]:
    """Record the wish, claimed by the owner for running it at once.

    Return the binding, and its operation unless the same binding exists already.
    Waits a little for what excludes it. Raise NotFound, InvalidRequest, Conflict
    if the id is in use with other attributes, or has been deleted since the wish was
    asked_at, ConcurrencyError.
    """
    wish = ServiceBinding(
        guid=guid,
        parameters=parameters,
        bind_resource=bind_resource,
        app_guid=app_guid,
        app_name=app_name_in(bind_resource),
        password=new_secret(),
    )

    def attempt() -> tuple[ServiceBinding, Operation | None]:
        # Read before: on SQLite, a transaction keeps all others waiting.
        return locked(ServiceInstance.objects.get_live(instance_guid))

    @recording()
    def locked(instance: ServiceInstance) -> tuple[ServiceBinding, Operation | None]:
        # So that no exclusive operation begins before ours is recorded.
        ServiceInstance.objects.lock(instance)
        existing = ServiceBinding.objects.find_live(instance, guid)
        own_ids = ("", "")
        if predecessor_guid:
            _succeed_to(predecessor_guid, instance, wish, existing)
            # A rotation may leave them out.
            own_ids = (instance.plan.offering_id, instance.plan_id)
        check_plan(
            instance,
            offering_id=offering_id or own_ids[0],
            plan_id=plan_id or own_ids[1],
        )
        if existing is not None:
            return _repeat(existing, wish), None
        _refuse_late(instance, guid, asked_at)
        return wish, _record(instance, wish, actor, owner)

    return until_free(attempt)


def _refuse_late(
    instance: ServiceInstance, guid: str, asked_at: datetime | None
) -> None:
    """Raise Conflict if it was deleted meanwhile (FAILURES F5, F72)."""
    Tombstone.objects.refuse_late(instance.guid, guid, asked_at=asked_at)
    since = asked_at and Operation.objects.asked_since(
        asked_at, Kind.UNBIND, instance=instance, binding__guid=guid
    )
    # To the letter, as not every database compares.
    if since and guid in since.values_list("binding__guid", flat=True):
        raise errors.Conflict("This service binding was deleted meanwhile.")


def _record(
    instance: ServiceInstance, wish: ServiceBinding, actor: Actor, owner: str
) -> Operation:
    """The binding and its operation, if the instance may be bound now."""
    engine = get_engine(instance.plan.offering.engine)
    check_parameters(wish.parameters, engine.bind_schema)
    _refuse_unusable(instance)
    wish.instance = instance
    wish.live_key = binding_key(instance, wish.guid)
    wish.live_for(instance.plan.binding_lifetime_days)
    wish.save(force_insert=True)
    app = wish.app_guid
    AuditEvent.record(actor, "bind", instance, binding=wish.guid, app=app)
    return Operation.objects.enqueue(
        Kind.BIND, instance, binding=wish, actor=actor, owner=owner, step=STEP
    )


def _succeed_to(
    guid: str,
    instance: ServiceInstance,
    wish: ServiceBinding,
    existing: ServiceBinding | None,
) -> None:
    """Take over what a rotation does not say again (OSB 2.17, Binding Rotation)."""
    if find_configurable(instance.plan.offering.engine):
        raise errors.InvalidRequest(
            "predecessor_binding_id: bindings of this service share their credentials, "
            "so that rotating one would change nothing."
        )
    predecessor = ServiceBinding.objects.find_live(instance, guid)
    if existing is not None and existing.predecessor is not None:
        # A repeat: the predecessor may have been deleted since.
        if existing.predecessor.guid == guid:
            predecessor = existing.predecessor
    elif predecessor is not None and not predecessor.is_usable:
        predecessor = None
    if predecessor is None:
        raise errors.InvalidRequest(
            "predecessor_binding_id: this service instance has no such binding, "
            "or it has expired."
        )
    wish.predecessor = predecessor
    wish.app_guid = wish.app_guid or predecessor.app_guid
    wish.app_name = wish.app_name or predecessor.app_name
    wish.bind_resource = wish.bind_resource or predecessor.bind_resource
    wish.parameters = wish.parameters or predecessor.parameters


def _refuse_unusable(instance: ServiceInstance) -> None:
    if instance.state == ServiceInstance.State.FAILED:
        raise errors.InvalidRequest("This service instance has failed: delete it.")
    is_ready = instance.state == ServiceInstance.State.READY
    if not is_ready or Operation.objects.excluding(instance):
        raise errors.ConcurrencyError
    if not instance.plan.offering.bindable:
        raise errors.InvalidRequest("plan_id: this plan has no bindings.")
    disk.refuse_stopped(instance)


def _repeat(existing: ServiceBinding, wish: ServiceBinding) -> ServiceBinding:
    """OSB 2.17, Binding: the same again is answered, anything else is 409."""
    compared = ("parameters", "bind_resource", "app_guid", "predecessor_id")
    different = [n for n in compared if getattr(existing, n) != getattr(wish, n)]
    if different:
        raise errors.Conflict(
            f"This service binding exists with another {', '.join(different)}."
        )
    if existing.state not in MADE:
        raise errors.ConcurrencyError
    return existing


def _perform(work: Work) -> None:
    binding, instance = work.operation.binding, work.operation.instance
    assert binding is not None and instance.container is not None
    container = instance.container
    user = user_of(binding, instance)
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    work.step(STEP)
    engine.create_user(endpoint, user)
    credentials = engine.credentials(endpoint, user)
    with work.succeeding():
        binding.move(
            ServiceBinding.State.READY,
            only_from=(ServiceBinding.State.CREATING,),
            credentials=credentials,
        )


def user_of(binding: ServiceBinding, instance: ServiceInstance) -> User:
    """The binding's user as it is to be."""
    return User(
        name=binding.username,
        password=binding.password,
        database=instance.database,
        connections=instance.plan.connections,
        read_only=bool(binding.parameters.get("read_only")),
    )


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """A half-made user may exist: the worker drops it as soon as it can (F3, F66)."""
    binding, instance = work.operation.binding, work.operation.instance
    assert binding is not None
    state = ServiceBinding.State
    with work.failing(error):
        half_made = ServiceBinding.objects.filter(pk=binding.pk, state=state.CREATING)
        # Unless a deprovision has taken it away already.
        if half_made.update(state=state.DELETING):
            Operation.objects.enqueue(
                Kind.UNBIND, instance, binding=binding, actor=WORKER
            )


def _clean_up(work: Work) -> None:
    """An unbind has overtaken this bind: the user must not come back (F68)."""
    binding, instance = work.operation.binding, work.operation.instance
    assert binding is not None
    binding.refresh_from_db()
    container = instance.container
    if binding.state in (ServiceBinding.State.CREATING, ServiceBinding.State.READY):
        return
    coming = Operation.objects.filter(binding=binding, kind=Kind.UNBIND)
    if coming.filter(state=Operation.State.QUEUED).exists():
        return  # It drops the user; a request must not wait for a dead engine twice.
    if container is not None and container.state == container.State.IN_USE:
        engine = get_engine(container.engine)
        engine.drop_user(hosts.endpoint(container), binding.username)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=1)
