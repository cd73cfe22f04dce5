"""An operator's word on one instance's backups: stored with a trace."""

from typing import Any

from django.db import transaction

from instances.models import Actor, AuditEvent, BackupOverride, ServiceInstance
from instances.models.backup_override import Retention, Schedule

FIELDS = (
    *("schedule", "interval_h", "cron"),
    *("retention", "keep", "keep_days", "keep_gib"),
)


@transaction.atomic
def store(row: BackupOverride, *, actor: Actor) -> dict[str, Any]:
    """Write it, or remove it if it says nothing; return what changed. Must be clean."""
    instance = row.instance
    ServiceInstance.objects.select_for_update().get(pk=instance.pk)
    stored = BackupOverride.objects.filter(instance=instance).first()
    before = _values(stored or BackupOverride(instance=instance))
    after = _values(row)
    changes = {
        name: [before[name], after[name]]
        for name in FIELDS
        if before[name] != after[name]
    }
    if not changes:
        return {}
    is_plan = row.schedule == Schedule.PLAN and row.retention == Retention.PLAN
    if is_plan:
        BackupOverride.objects.filter(instance=instance).delete()
    else:
        BackupOverride.objects.update_or_create(instance=instance, defaults=after)
    AuditEvent.record(actor, "edit backup policy", instance, **changes)
    return changes


def _values(row: BackupOverride) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}
