"""Clone: an operator has a new service instance made of a backup.

It is a provision like a platform's, but nobody's space limits which backup may be
meant; the platform does not know of it.
"""

from django.db import transaction

from instances import errors
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    Operation,
    ServiceInstance,
    ServicePlan,
)
from instances.operations import provision


def plans_for(backup: Backup) -> list[ServicePlan]:
    """Those that it fits: of its engine, and as large at least."""
    rows = ServicePlan.objects.filter(
        active=True,
        offering__active=True,
        offering__engine=backup.engine,
        memory_mb__gte=backup.memory_mb,
    )
    return list(rows.select_related("offering"))


def accept(
    backup: Backup,
    *,
    guid: str,
    name: str,
    plan: ServicePlan,
    organization_guid: str,
    space_guid: str,
    actor: Actor,
) -> Operation:
    """Record the wish. Raise InvalidRequest, NoCapacity, Conflict."""
    operation, is_new = provision.accept(
        guid=guid,
        offering_id=plan.offering_id,
        plan_id=plan.pk,
        parameters={"restore_from": {"backup": str(backup.pk)}},
        context={"instance_name": name} if name else {},
        organization_guid=organization_guid,
        space_guid=space_guid,
        actor=actor,
        is_operator=True,
    )
    if not is_new:
        raise errors.Conflict(f"There is a service instance with the GUID {guid}.")
    with transaction.atomic():
        instance = ServiceInstance.objects.get(pk=operation.instance_id)
        AuditEvent.record(
            actor,
            "clone",
            instance,
            backup=str(backup.pk),
            of=backup.instance.guid,
            organization=organization_guid,
            space=space_guid,
        )
    return operation
