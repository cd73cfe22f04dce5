"""Backup and restore, asked for by an app developer through cf update-service -c."""

from typing import Any

from django.db import transaction

from instances import errors, transactions
from instances.engines import get_engine
from instances.models import Actor, Operation, ServiceInstance
from instances.models.backup import Trigger
from instances.operations import back_up, broker_parameters, parameters, restore


@transactions.repeated
def accept(
    *, guid: str, offering_id: str, wanted: dict[str, Any], actor: Actor, owner: str
) -> Operation:
    """Record the one wish; a repeat of it, while it is under way, gets its operation.

    Raise NotFound, InvalidRequest, AsyncRequired with an owner, who would wait for it,
    BackupRefused, ConcurrencyError.
    """
    with transaction.atomic():
        instance = ServiceInstance.objects.get_live(guid)
        ServiceInstance.objects.lock(instance)
        _check(instance, offering_id, wanted)
        running = Operation.objects.unfinished().filter(exclusive_instance=instance)
        operation = running.first()
        if operation is not None:
            if operation.request.get("wanted") != wanted:
                raise errors.ConcurrencyError
            return operation
        if owner:
            raise errors.AsyncRequired
        if "backup" in wanted:
            operation = _back_up(instance, wanted["backup"], actor)
        else:
            chosen = restore.find(instance, wanted["restore"]["backup"])
            operation = restore.accept(chosen, actor=actor)
        operation.request = {**operation.request, "wanted": wanted}
        operation.save(update_fields=["request"])
        return operation


def _back_up(
    instance: ServiceInstance, wanted: dict[str, Any], actor: Actor
) -> Operation:
    note = wanted.get("note", "")
    trigger = Trigger.DEVELOPER
    return back_up.accept(instance, trigger=trigger, actor=actor, note=note).operation


def _check(instance: ServiceInstance, offering_id: str, wanted: dict[str, Any]) -> None:
    plan = instance.plan
    if plan.offering_id != offering_id:
        raise errors.InvalidRequest("service_id: it is not this instance's offering.")
    engine = get_engine(plan.offering.engine)
    parameters.check(wanted, broker_parameters.schema_of(engine, "update_schema"))
    if len(wanted) > 1:
        raise errors.InvalidRequest(
            "parameters: give backup or restore alone, and the rest in another update."
        )
    if not plan.backup_by_developer:
        (name,) = wanted
        raise errors.InvalidRequest(
            f"parameters: {name}: plan {plan} leaves backups to the operators."
        )
