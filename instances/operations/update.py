"""Update: another plan, other parameters, new names; all of it or nothing."""

from typing import Any

from django.db import transaction

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
from instances.models.disk import HELD, HELD_TO
from instances.operations import disk, hosts, parameters
from instances.operations.catalog import get_plan
from instances.operations.limits import check_limits
from instances.operations.starting import wait_until_ready
from instances.operations.work import Verb, Work

LIMITS = ("memory_mb", "cpus", "pids", *HELD_TO)


def accept(
    *,
    guid: str,
    offering_id: str,
    plan_id: str,
    wanted: dict[str, Any],
    context: dict[str, Any],
    maintenance_version: str,
    actor: Actor,
    owner: str = "",
) -> tuple[ServiceInstance, Operation | None]:
    """Record the wish; None instead of an operation if nothing has to be done.

    An empty plan_id and parameters that are left out mean: as they are. A repeat
    of the update that is under way gets its operation. Raise NotFound,
    InvalidRequest, UpdateNotSupported, MaintenanceInfoConflict, NoCapacity,
    ConcurrencyError.
    """
    with transaction.atomic():
        instance = ServiceInstance.objects.get_live(guid)
        ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        plan = _target(instance, offering_id, plan_id, maintenance_version)
        engine = get_engine(instance.plan.offering.engine)
        parameters.check(wanted, engine.update_schema)
        request = _request(instance, plan, wanted)
        running = Operation.objects.unfinished().filter(exclusive_instance=instance)
        operation = running.first()
        if operation is not None:
            return instance, _joined(operation, request)
        _check_state(instance)
        instance.rename(context)
        if plan == instance.plan and request["parameters"] == instance.parameters:
            return instance, None
        if plan != instance.plan:
            disk.check_room(instance, plan)
            check_limits(plan, instance.organization_guid)
        else:
            disk.refuse_stopped(instance)
        AuditEvent.record(actor, "update", instance, plan=str(plan), parameters=wanted)
        return instance, Operation.objects.enqueue(
            Kind.UPDATE, instance, actor=actor, request=request, owner=owner
        )


def _target(
    instance: ServiceInstance, offering_id: str, plan_id: str, version: str
) -> ServicePlan:
    """The plan that is asked for, if the instance may have it."""
    former = instance.plan
    if former.offering_id != offering_id:
        raise errors.InvalidRequest("service_id: it is not this instance's offering.")
    plan = get_plan(offering_id, plan_id or former.pk)
    if version and version != plan.maintenance_version:
        raise errors.MaintenanceInfoConflict
    if plan == former:
        if version and version != instance.maintenance_version:
            raise errors.UpdateNotSupported(
                "Upgrading the database's image is not possible yet: "
                "create a new service instance and move the data."
            )
        return plan
    if not former.offering.plan_updateable:
        raise errors.UpdateNotSupported("The plan of this offering cannot be changed.")
    if not plan.active:
        raise errors.InvalidRequest(f"plan_id: plan {plan} is no longer offered.")
    if plan.image != former.image:
        raise errors.UpdateNotSupported(
            f"Plan {plan} runs another image: create a new service instance of it."
        )
    return plan


def _request(
    instance: ServiceInstance, plan: ServicePlan, wanted: dict[str, Any]
) -> dict[str, Any]:
    """What is wanted and, to go back to, what was; equal for equal wishes."""
    container = instance.container
    return {
        "plan_id": plan.pk,
        "parameters": {**instance.parameters, **wanted},
        "former_plan_id": instance.plan_id,
        "former_limits": {name: _plain(container, name) for name in LIMITS},
    }


def _plain(container: Container | None, name: str) -> str | None:
    """The limit as JSON; None is none."""
    value = getattr(container, name, None)
    return None if value is None else str(value)


def _joined(operation: Operation, request: dict[str, Any]) -> Operation:
    compared = ("plan_id", "parameters")
    same = all(operation.request.get(name) == request[name] for name in compared)
    if operation.kind == Kind.UPDATE and same:
        return operation
    raise errors.ConcurrencyError


def _check_state(instance: ServiceInstance) -> None:
    if instance.state == ServiceInstance.State.FAILED:
        raise errors.InvalidRequest("This service instance has failed: delete it.")
    if instance.state != ServiceInstance.State.READY:
        raise errors.ConcurrencyError


def _perform(work: Work) -> None:
    instance, request = work.operation.instance, work.operation.request
    container = instance.container
    assert container is not None
    plan = ServicePlan.objects.select_related("offering").get(pk=request["plan_id"])
    if instance.plan != plan:
        work.step(f"setting the limits of plan {plan}")
        _reserve(work, container, plan)
        hosts.connect(container.host).limit(hosts.spec(container))
        _ease(work, container)
    if request["parameters"] != instance.parameters:
        work.step("setting the parameters")
        _set_parameters(work, container, request["parameters"])
    with work.succeeding():
        if instance.plan != plan:
            instance.maintenance_version = plan.maintenance_version
        instance.plan, instance.parameters = plan, request["parameters"]
        instance.save(update_fields=["plan", "parameters", "maintenance_version"])


def _reserve(work: Work, container: Container, plan: ServicePlan) -> None:
    """Take the memory from the host's budget before Docker is asked for it."""
    with work.fenced():
        host = DockerHost.objects.select_for_update().get(pk=container.host_id)
        more_mb = plan.memory_mb - container.memory_mb
        lacking_mb = more_mb - max(0, host.free_memory_mb())
        if more_mb > 0 and lacking_mb > 0:
            lacking_mb -= placement.displace_standbys(host, lacking_mb)
        if more_mb > 0 and lacking_mb > 0:
            raise errors.NoCapacity(
                f"The database's host has no room for plan {plan}.",
                detail=f"host {host} lacks {lacking_mb} MiB of its budget",
            )
        for name in LIMITS:
            setattr(container, name, getattr(plan, name))
        container.save(update_fields=LIMITS)


def _ease(work: Work, container: Container) -> None:
    """Let go at once a database that was full for its former plan."""
    former = container.disk_state
    if former not in HELD:
        return
    work.step("looking whether the disk limit lets it go")
    disk.judge(container)
    if former == Container.DiskState.STOPPED != container.disk_state:
        hosts.connect(container.host).start(container.name)
        wait_until_ready(container, step=work.step, check=work.check)
    disk.enforce(container)


def _set_parameters(work: Work, container: Container, wanted: dict[str, Any]) -> None:
    if _apply(container, work.operation.instance.database, wanted):
        work.step("restarting the database")
        hosts.connect(container.host).restart(container.name)
        wait_until_ready(container, step=work.step, check=work.check)


def _apply(container: Container, database: str, wanted: dict[str, Any]) -> bool:
    """Set those that can change; whether that takes a restart."""
    engine = get_engine(container.engine)
    known = engine.update_schema["properties"]
    changeable = {name: value for name, value in wanted.items() if name in known}
    return engine.update_database(hosts.endpoint(container), database, changeable)


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Back to what was: an update happens wholly or not at all (OSB-CHECKLIST 106)."""
    container = work.operation.instance.container
    with work.failing(error):
        if container is not None:
            former = work.operation.request["former_limits"]
            Container.objects.filter(pk=container.pk).update(**former)


def _clean_up(work: Work) -> None:
    """Make the container what the rows say, after a failure or a late attempt."""
    instance = ServiceInstance.objects.get(pk=work.operation.instance_id)
    container = instance.container
    if container is None or container.state != Container.State.IN_USE:
        return
    hosts.connect(container.host).limit(hosts.spec(container))
    _apply(container, instance.database, instance.parameters)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
