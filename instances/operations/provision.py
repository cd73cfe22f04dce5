"""Provision: from a platform's wish to a database that accepts a login."""

import time
from typing import Any

from django.db import IntegrityError, transaction

from instances import errors, placement
from instances.engines import get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
    ServicePlan,
)
from instances.models.docker_host import STRANGER_REST, PortLease
from instances.operations import hosts
from instances.operations.catalog import get_plan
from instances.operations.limits import check_limits
from instances.operations.work import Verb, Work

READY_LIMIT_S = 60.0
"""How long a database may take from start to its first login."""
POLL_S = 0.02
PORT_TRIES = 3
LOG_LINES = 20


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
    owner: str = "",
) -> tuple[Operation, bool]:
    """Record the wish; with an owner, claimed for running it at once.

    Return the operation and whether this call has created it: a repeat of the
    same wish gets the first one's. Raise InvalidRequest, NoCapacity, Conflict if
    the id is in use with other attributes, ConcurrencyError if it is being deleted,
    MaintenanceInfoConflict if the platform knows another version of the plan.
    """
    plan = get_plan(offering_id, plan_id)
    wish = ServiceInstance.new(
        guid=guid,
        plan=plan,
        parameters=parameters,
        context=context,
        organization_guid=organization_guid,
        space_guid=space_guid,
        maintenance_version=plan.maintenance_version,
    )
    existing = ServiceInstance.objects.find_live(guid)
    if existing is None:
        _refuse_parameters(parameters)
        _refuse_inactive(plan)
        if maintenance_version and maintenance_version != plan.maintenance_version:
            raise errors.MaintenanceInfoConflict
        placement.check_capacity(plan)
        try:
            with transaction.atomic():
                ServicePlan.objects.select_for_update().get(pk=plan.pk)
                check_limits(plan, organization_guid)
                wish.save(force_insert=True)
                AuditEvent.record(actor, "provision", wish, plan=str(plan))
                operation = Operation.objects.enqueue(
                    Kind.PROVISION, wish, actor=actor, owner=owner
                )
                return operation, True
        except IntegrityError:
            # The same request, delivered twice at once: the other one has won.
            existing = ServiceInstance.objects.find_live(guid)
            if existing is None:
                raise
    return _repeat(existing, wish), False


def _refuse_parameters(parameters: dict[str, Any]) -> None:
    if parameters:
        names = ", ".join(sorted(parameters))
        raise errors.InvalidRequest(f"parameters: this plan takes none, not {names}.")


def _refuse_inactive(plan: ServicePlan) -> None:
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
    operation = existing.operations.filter(kind=Kind.PROVISION).latest("created_at")
    if existing.state == ServiceInstance.State.FAILED:
        raise errors.Conflict(
            f"This service instance has failed ({operation.error}): delete it first."
        )
    return operation


def _perform(work: Work) -> None:
    instance = work.operation.instance
    container = _placed(work, instance)
    try:
        _start(work, container)
    except errors.HostUnreachable as error:
        container.host.note_contact(error.detail)
        _leave_dead_host(work, instance, container)
        raise
    container.host.note_contact()
    _wait_until_ready(work, container)
    engine = get_engine(container.engine)
    work.step("creating the database")
    engine.create_database(hosts.endpoint(container), instance.database)
    with work.succeeding():
        container.move(
            Container.State.IN_USE,
            only_from=(Container.State.STARTING, Container.State.IN_USE),
        )
        instance.move(
            ServiceInstance.State.READY,
            only_from=(ServiceInstance.State.PROVISIONING,),
        )


def _placed(work: Work, instance: ServiceInstance) -> Container:
    """The container's row: an earlier attempt's, or a new one."""
    if instance.container is None:
        work.step("choosing a host and a port")
        with work.fenced():
            instance.container = placement.place(instance.plan)
            instance.save(update_fields=["container"])
    return instance.container


def _start(work: Work, container: Container) -> None:
    """Create and start it, on another port if a stranger has the first one."""
    host = hosts.connect(container.host)
    for _ in range(PORT_TRIES):
        work.step(f"creating the container on {container.host}, port {container.port}")
        host.create(hosts.spec(container))
        work.step("starting the container")
        try:
            return host.start(container.name)
        except errors.PortTaken as error:
            work.step(f"port {container.port} is taken: choosing another one")
            host.remove(container.name)
            _change_port(work, container)
            last_error = error
    raise last_error


def _change_port(work: Work, container: Container) -> None:
    with work.fenced():
        locked = DockerHost.objects.select_for_update().get(pk=container.host_id)
        lease = container.lease
        lease.release(rest=STRANGER_REST, reason="held by another program")
        container.lease = PortLease.objects.reserve(container, locked)


def _leave_dead_host(
    work: Work, instance: ServiceInstance, container: Container
) -> None:
    """Let the next attempt choose another host, if there is one that answers."""
    others = DockerHost.objects.filter(state=DockerHost.State.ACTIVE, problem="")
    if not others.exclude(pk=container.host_id).exists():
        return
    with work.fenced():
        container.retire()
        instance.container = None
        instance.save(update_fields=["container"])


def _wait_until_ready(work: Work, container: Container) -> None:
    """Wait for a login: that the port accepts proves nothing, docker-proxy does."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    work.step("waiting for the first login")
    looked_at = started_at = time.monotonic()
    while True:
        try:
            return engine.check(endpoint)
        except errors.EngineUnreachable as error:
            if time.monotonic() - started_at > READY_LIMIT_S:
                raise _failure(container, error.detail) from None
        if time.monotonic() - looked_at > 1:
            looked_at = time.monotonic()
            work.check()
            _refuse_dead(container)
        time.sleep(POLL_S)


def _refuse_dead(container: Container) -> None:
    """Raise ContainerFailed if it has exited, or restarts over and over."""
    status = hosts.connect(container.host).find(container.name)
    if status is None:
        raise _failure(container, "it is not there any more")
    if not status.is_running and status.exit_code:
        reason = f"{status.state}, exit code {status.exit_code}"
        memory = ", out of memory" if status.out_of_memory else ""
        raise _failure(container, reason + memory)


def _failure(container: Container, reason: str) -> errors.ContainerFailed:
    log = hosts.connect(container.host).logs(container.name, lines=LOG_LINES)
    return errors.ContainerFailed(
        detail=f"{container} on {container.host}: {reason}. Its last lines:\n{log}"
    )


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """The instance has failed; its container is to go."""
    instance = work.operation.instance
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
