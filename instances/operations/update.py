"""Update: another plan, other parameters, new names; all of it or nothing."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction

from instances import errors, transactions
from instances.engines import find_configurable, get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceInstance,
    ServicePlan,
)
from instances.models.backup import Trigger
from instances.models.container import MADE_WITH, is_same
from instances.models.disk import HELD_TO
from instances.operations import (
    back_up,
    disk,
    engine_settings,
    hosts,
    hot_backup,
    parameters,
    succession,
    swap,
)
from instances.operations.broker_parameters import engines_own
from instances.operations.catalog import get_plan
from instances.operations.in_place import (
    LIMITS,
    apply_parameters,
    ease,
    reserve,
    set_parameters,
)
from instances.operations.limits import check_limits
from instances.operations.starting import wait_until_ready
from instances.operations.work import Verb, Work

logger = logging.getLogger(__name__)


@transactions.repeated
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
    as_planned: bool = False,
) -> tuple[ServiceInstance, Operation | None]:
    """Record the wish; None instead of an operation if nothing has to be done.

    An empty plan_id and parameters that are left out mean: as they are. A newer
    maintenance_version, or as_planned, means: with the image and the limits that the
    plan has now. A repeat of the update that is under way gets its operation. Raise
    NotFound, InvalidRequest, UpdateNotSupported, MaintenanceInfoConflict, NoCapacity,
    ConcurrencyError, AsyncRequired if an owner would wait for a swap or a backup.
    """
    with transaction.atomic():
        instance = ServiceInstance.objects.get_live(guid)
        ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        plan = _target(instance, offering_id, plan_id, maintenance_version)
        engine = get_engine(instance.plan.offering.engine)
        parameters.check(engines_own(wanted), engine.update_schema)
        is_newer = maintenance_version not in ("", instance.maintenance_version)
        request = _request(instance, plan, wanted)
        request["as_planned"] = as_planned or is_newer or plan != instance.plan
        engine.check_parameters(engines_own(request["parameters"]))
        running = Operation.objects.unfinished().filter(exclusive_instance=instance)
        operation = running.first()
        if operation is not None:
            return instance, _joined(operation, request)
        _check_state(instance)
        instance.rename(context)
        if request["as_planned"]:
            _refuse_unknown_data(instance, plan)
        changed = request["as_planned"] or request["parameters"] != instance.parameters
        if not changed:
            return instance, None
        AuditEvent.record(actor, "update", instance, plan=str(plan), parameters=wanted)
        return instance, _record(instance, plan, request, actor, owner)


def _record(
    instance: ServiceInstance,
    plan: ServicePlan,
    request: dict[str, Any],
    actor: Actor,
    owner: str,
) -> Operation:
    """The operation, and the backup that the plan asks for before it."""
    is_upgrade = request["as_planned"] and _needs_swap(instance, plan)
    is_backed_up = _wants_backup(instance, is_upgrade=is_upgrade)
    if owner and (is_upgrade or is_backed_up):
        raise errors.AsyncRequired
    _check_limits(instance, plan)
    operation = Operation.objects.enqueue(
        Kind.UPDATE, instance, actor=actor, request=request, owner=owner
    )
    if is_backed_up:
        back_up.record(operation, trigger=Trigger.EVENT)
    return operation


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
        return plan
    if not former.offering.plan_updateable:
        raise errors.UpdateNotSupported("The plan of this offering cannot be changed.")
    if not plan.active:
        raise errors.InvalidRequest(f"plan_id: plan {plan} is no longer offered.")
    return plan


def _refuse_unknown_data(instance: ServiceInstance, plan: ServicePlan) -> None:
    """Where an engine does not know its data, no other container can take it over."""
    container = instance.container
    if container is None or not find_configurable(container.engine):
        return
    if not is_same(container.settings, plan.settings) or container.image != plan.image:
        raise errors.UpdateNotSupported(
            f"Plan {plan} runs another image, or runs it in another way, and nothing "
            "is known of the data in this one: create a new service instance."
        )


def _check_limits(instance: ServiceInstance, plan: ServicePlan) -> None:
    """Raise UpdateNotSupported, NoCapacity, InvalidRequest."""
    if plan != instance.plan:
        disk.check_room(instance, plan)
        check_limits(plan, instance.organization_guid)
    else:
        disk.refuse_stopped(instance)


def _needs_swap(instance: ServiceInstance, plan: ServicePlan) -> bool:
    """For another image, and to end one that has been begun."""
    container = instance.container
    return container is not None and (
        container.image != plan.image or container.state == Container.State.KEPT
    )


def _wants_backup(instance: ServiceInstance, *, is_upgrade: bool) -> bool:
    """By the plan that it has, not by the one that it gets."""
    plan, container = instance.plan, instance.container
    if is_upgrade and plan.backup_on_upgrade:
        return True
    # Another plan is the way out of a full disk, and it touches no data.
    is_stopped = container and container.disk_state == Container.DiskState.STOPPED
    return plan.backup_on_update and not is_stopped and back_up.is_possible(instance)


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
    compared = ("plan_id", "parameters", "as_planned")
    same = all(operation.request.get(name) == request[name] for name in compared)
    if operation.kind == Kind.UPDATE and same:
        return operation
    raise errors.ConcurrencyError


def _check_state(instance: ServiceInstance) -> None:
    if instance.state == ServiceInstance.State.FAILED:
        raise errors.InvalidRequest("This service instance has failed: delete it.")
    if instance.state != ServiceInstance.State.READY:
        raise errors.ConcurrencyError
    disk.refuse_stopped_by_operator(instance)


def _perform(work: Work) -> None:
    instance, request = work.operation.instance, work.operation.request
    container = instance.container
    assert container is not None
    plan = ServicePlan.objects.select_related("offering").get(pk=request["plan_id"])
    # Before anything changes: it is what there is to go back to.
    back_up.take_all(work, container)
    # In a container that is kept they have been set before it was stopped.
    if (
        request["parameters"] != instance.parameters
        and container.state == Container.State.IN_USE
    ):
        work.step("setting the parameters")
        engine_settings.note(work, container, request["parameters"])
        set_parameters(work, container, request["parameters"])
    if request["as_planned"] and _needs_swap(instance, plan):
        made_with = {name: getattr(plan, name) for name in (*MADE_WITH, *HELD_TO)}
        swap.swap(work, container, made_with, swap.OwnData())
    elif request["as_planned"]:
        work.step(f"setting the limits of plan {plan}")
        reserve(work, container, plan)
        hosts.connect(container.host).limit(hosts.spec(container))
        ease(work, container)
    _succeed(work, plan)


def _succeed(work: Work, plan: ServicePlan) -> None:
    instance, request = work.operation.instance, work.operation.request
    successor = instance.container and succession.decided(instance.container)
    with work.succeeding():
        if successor is not None:
            succession.finish(instance, successor)
        if request["as_planned"]:
            instance.maintenance_version = plan.maintenance_version
        instance.plan, instance.parameters = plan, request["parameters"]
        instance.save(update_fields=["plan", "parameters", "maintenance_version"])


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Back to what was: an update happens wholly or not at all (OSB-CHECKLIST 106)."""
    operation, container = work.operation, work.operation.instance.container
    if succession.is_decided(work, container, swap.OwnData(), error):
        return _succeed(work, ServicePlan.objects.get(pk=operation.request["plan_id"]))
    with work.fenced():
        if container is not None:
            former = operation.request["former_limits"]
            Container.objects.filter(pk=container.pk).update(**former)
            succession.put_back(container)
    # While it still is unfinished: after a crash in between, it is tried again.
    try:
        succession.settle(operation, swap.OwnData(), check=work.check)
        _undo(operation, with_settings=True, check=work.check)
    except errors.Stopped:
        raise
    except errors.BrokerError as problem:
        logger.warning("operation=%s is not undone: %s", operation.pk, problem.detail)
        operation.request = {**operation.request, "instance_usable": False}
        operation.write(request=operation.request)
    with work.failing(error):
        back_up.abandon(operation, error.detail or str(error))


def _clean_up(work: Work) -> None:
    """After a late attempt: make the containers what the rows say by now."""
    operation = work.operation
    if work.is_late:  # Any other one has undone all itself.
        succession.settle(operation, swap.OwnData())
    # The settings are of whoever works on it now.
    if work.is_late and not succession.is_busy(operation.instance):
        has_failed = operation.state == Operation.State.FAILED
        _undo(operation, with_settings=has_failed, check=lambda: None)


def _undo(
    operation: Operation, *, with_settings: bool, check: Callable[[], None]
) -> None:
    """Make the database what it is without this update. Raise BrokerError."""
    instance = ServiceInstance.objects.get(pk=operation.instance_id)
    container = instance.container
    if container is None or container.state != Container.State.IN_USE:
        return
    for backup in operation.backups.all():
        hot_backup.close(backup, container)
    is_stale = with_settings and engine_settings.put_back(operation, container)
    # What a later update has set stays set.
    if apply_parameters(container, instance.database, instance.parameters) or is_stale:
        hosts.connect(container.host).restart(container.name)
        wait_until_ready(container, step=lambda text: None, check=check)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
