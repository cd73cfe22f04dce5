"""Provision: from a platform's wish to a database that accepts a login."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from instances import errors, placement, transactions
from instances.engines import get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceInstance,
    ServicePlan,
    Tombstone,
)
from instances.operations import beginning, evidence, hosts
from instances.operations.broker_parameters import engines_own, schema_of
from instances.operations.catalog import get_plan
from instances.operations.limits import check_limits, check_total
from instances.operations.parameters import check as check_parameters
from instances.operations.starting import READY_LIMIT_S, start, wait_until_ready
from instances.operations.work import Verb, Work

ADOPTING = "creating the database in a standby container"


@transactions.repeated
def accept(
    *,
    guid: str,
    offering_id: str,
    plan_id: str,
    parameters: dict[str, Any],
    context: dict[str, Any],
    organization_guid: str,
    space_guid: str,
    actor: Actor,
    maintenance_version: str = "",
    api_host: str = "",
    owner: str = "",
    adopter: str = "",
    is_operator: bool = False,
    asked_at: datetime | None = None,
) -> tuple[Operation, bool]:
    """Record the wish; with an owner, claimed for running it at once.

    With an adopter, a standby container of the plan is taken if there is one, and the
    operation is claimed by the adopter then, whoever the owner would be. An operator
    may begin with the backup of another organization or space.

    Return the operation and whether this call has created it: a repeat of the
    same wish gets the first one's. Raise InvalidRequest, NoCapacity, Conflict if
    the id is in use with other attributes, or has been deleted since the wish was
    asked_at, ConcurrencyError if it is being deleted, MaintenanceInfoConflict if the
    platform knows another version of the plan, AsyncRequired for one that begins with
    a backup, and an owner who would wait.
    """
    plan = get_plan(offering_id, plan_id)
    wish = ServiceInstance.new(
        guid=guid,
        plan=plan,
        parameters=parameters,
        context=context,
        organization_guid=organization_guid,
        space_guid=space_guid,
        api_host=api_host,
        maintenance_version=plan.maintenance_version,
    )
    existing = ServiceInstance.objects.find_live(guid)
    if existing is None:
        _check(plan, parameters)
        if "restore_from" in parameters:
            _begin_with(parameters["restore_from"], wish, is_operator=is_operator)
            if owner:
                raise errors.AsyncRequired
            adopter = ""
        _admit(plan, maintenance_version)
        try:
            with transaction.atomic():
                _refuse_late(wish, asked_at)
                return _record(wish, actor, owner=owner, adopter=adopter), True
        except IntegrityError:
            # The same request, delivered twice at once: the other one has won.
            existing = ServiceInstance.objects.find_live(guid)
            if existing is None:
                raise
    return _repeat(existing, wish), False


def _admit(plan: ServicePlan, maintenance_version: str) -> None:
    if maintenance_version and maintenance_version != plan.maintenance_version:
        raise errors.MaintenanceInfoConflict
    placement.check_capacity(plan)


def _refuse_late(wish: ServiceInstance, asked_at: datetime | None) -> None:
    """Raise Conflict if it was deleted meanwhile (FAILURES F5)."""
    ServicePlan.objects.lock(wish.plan_id)
    Tombstone.objects.refuse_late(wish.guid, asked_at=asked_at)
    since = asked_at and Operation.objects.asked_since(
        asked_at, Kind.DEPROVISION, instance__key=wish.key
    )
    if since and since.exists():
        raise errors.Conflict("This service instance was deleted meanwhile.")


def _record(
    wish: ServiceInstance, actor: Actor, *, owner: str, adopter: str
) -> Operation:
    """All rows or none: a standby container is claimed with the instance."""
    plan = wish.plan
    check_total()
    check_limits(plan, wish.organization_guid)
    if adopter:
        wish.container = Container.objects.claim_standby(plan)
    wish.save(force_insert=True)
    AuditEvent.record(actor, "provision", wish, plan=str(plan))
    if wish.container is None:
        return Operation.objects.enqueue(Kind.PROVISION, wish, actor=actor, owner=owner)
    return Operation.objects.enqueue(
        Kind.PROVISION, wish, actor=actor, owner=adopter, step=ADOPTING
    )


def _begin_with(
    wanted: dict[str, Any], wish: ServiceInstance, *, is_operator: bool
) -> None:
    wish.restored_from = beginning.find(
        wanted,
        wish.plan,
        organization=wish.organization_guid,
        space=wish.space_guid,
        is_operator=is_operator,
    )
    wish.restored_name = wish.restored_from.database


def _check(plan: ServicePlan, parameters: dict[str, Any]) -> None:
    """Raise InvalidRequest."""
    engine = get_engine(plan.offering.engine)
    check_parameters(parameters, schema_of(engine, "create_schema"))
    engine.check_parameters(engines_own(parameters))
    if not (plan.active and plan.offering.active):
        raise errors.InvalidRequest(f"plan_id: plan {plan} is no longer offered.")


def _repeat(existing: ServiceInstance, wish: ServiceInstance) -> Operation:
    """OSB 2.17, Provisioning: the same again is answered, anything else is 409."""
    compared = ("plan_id", "parameters", "organization_guid", "space_guid")
    different = [n for n in compared if getattr(existing, n) != getattr(wish, n)]
    if different:
        raise errors.Conflict(
            f"This service instance exists with another {', '.join(different)}."
        )
    if existing.state == ServiceInstance.State.DEPROVISIONING:
        raise errors.ConcurrencyError
    made = existing.operations.filter(kind__in=(Kind.PROVISION, Kind.ADOPT))
    operation = made.latest("created_at")
    if existing.state == ServiceInstance.State.FAILED:
        raise errors.Conflict(
            f"This service instance has failed ({operation.error}): delete it first."
        )
    return operation


def _perform(work: Work) -> None:
    instance, state = work.operation.instance, Container.State
    container = _placed(work, instance)
    if container.state == state.ADOPTING:
        needs_restart = _adopt(work, instance, container)
    else:
        _start(work, instance, container)
        work.step("creating the database")
        needs_restart = _create_database(instance, container)
    if needs_restart:
        work.step("restarting the database for its parameters")
        hosts.connect(container.host).restart(container.name)
        wait_until_ready(container, step=work.step, check=work.check)
    with work.succeeding():
        container.move(
            state.IN_USE, only_from=(state.STARTING, state.ADOPTING, state.IN_USE)
        )
        instance.move(
            ServiceInstance.State.READY,
            only_from=(ServiceInstance.State.PROVISIONING,),
        )
    if instance.restored_from is not None:
        beginning.wipe(instance, container)


def _create_database(instance: ServiceInstance, container: Container) -> bool:
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    own = engines_own(instance.parameters)
    return engine.create_database(endpoint, instance.database, own)


def _adopt(work: Work, instance: ServiceInstance, container: Container) -> bool:
    """A standby may have died, and is nobody's then (FAILURES F65)."""
    work.step(ADOPTING)
    try:
        return _create_database(instance, container)
    except errors.EngineUnreachable:
        _abandon(work, instance, container)
        raise


def _start(work: Work, instance: ServiceInstance, container: Container) -> None:
    fill = beginning.filler(work, instance, container)
    try:
        start(container, step=work.step, fenced=work.fenced, fill=fill)
    except errors.HostUnreachable as error:
        hosts.note_failure(container.host, error)
        if placement.is_elsewhere(instance.plan, container.host):
            _abandon(work, instance, container)
        raise
    if container.host.problem:
        container.host.note_contact()
    limit_s = beginning.READY_LIMIT_S if instance.restored_from else READY_LIMIT_S
    wait_until_ready(container, step=work.step, check=work.check, limit_s=limit_s)
    if instance.restored_from is not None:
        beginning.settle(work, instance, container)


def _placed(work: Work, instance: ServiceInstance) -> Container:
    """The container's row: an earlier attempt's, or a new one."""
    former = instance.container
    if former and instance.restored_from and beginning.is_half_filled(former):
        _abandon(work, instance, former)
    if instance.container is None:
        with work.fenced("choosing a host and a port"):
            instance.container = placement.place(instance.plan)
            instance.save(update_fields=["container"])
            work.operation.explain(instance.container.placed_because)
    return instance.container


def _abandon(work: Work, instance: ServiceInstance, container: Container) -> None:
    """Let the next attempt begin with a new container."""
    with work.fenced():
        container.retire()
        instance.container = None
        instance.save(update_fields=["container"])


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """The instance has failed; its container is to go."""
    instance = work.operation.instance
    if instance.container is not None:
        evidence.keep(work.operation, instance.container)
    with work.failing(error):
        instance.move(
            ServiceInstance.State.FAILED,
            only_from=(ServiceInstance.State.PROVISIONING,),
        )
        if instance.container is not None:
            instance.container.retire()


def _clean_up(work: Work) -> None:
    instance = work.operation.instance
    instance.refresh_from_db()
    if instance.container is not None:
        hosts.remove_if_unwanted(instance.container)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=6)
