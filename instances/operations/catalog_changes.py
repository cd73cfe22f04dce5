"""Changes of the catalog: stored field by field, and never without a trace."""

import json
from typing import Any, TypeAlias

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import JSONField

from instances.models import Actor, AuditEvent, ServiceOffering, ServicePlan

Entry: TypeAlias = ServiceOffering | ServicePlan
Changes: TypeAlias = dict[str, tuple[Any, Any]]
"""{field: (before, after)}"""


def refresh_command() -> str:
    """Cloud Foundry never looks at a catalog by itself (CLOUD-CONTROLLER §2)."""
    url = settings.PUBLIC_URL
    return f"cf update-service-broker BROKER USERNAME PASSWORD {url}"


def fields_of(row: Entry) -> dict[str, Any]:
    return {
        field.attname: field.value_from_object(row)
        for field in row._meta.concrete_fields
    }


def changes_of(row: Entry) -> Changes:
    """What differs from the stored row; everything that is set, if there is none."""
    stored = type(row)._default_manager.filter(pk=row.pk).first()
    after = fields_of(row)
    if stored is None:
        return {name: (None, value) for name, value in after.items() if value != ""}
    before = fields_of(stored)
    return {
        field.attname: (before[field.attname], after[field.attname])
        for field in row._meta.concrete_fields
        if not _is_same(field, before[field.attname], after[field.attname])
    }


def _is_same(field: Any, before: Any, after: Any) -> bool:
    if isinstance(field, JSONField):
        # To Python, 1 is True; to platforms it is not.
        return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    return bool(before == after)


@transaction.atomic
def store(row: Entry, *, actor: Actor) -> Changes:
    """Write what differs and nothing else. The row must be clean."""
    is_new = row._state.adding
    changes = changes_of(row)
    if is_new:
        row.save(force_insert=True)
    elif changes:
        row.save(update_fields=list(changes))
    if changes:
        _record("add" if is_new else "edit", row, changes, actor)
    return changes


@transaction.atomic
def remove(row: Entry, *, actor: Actor) -> None:
    """Raise ProtectedError if other rows need it: it can be deactivated then."""
    gone = {name: (value, None) for name, value in fields_of(row).items()}
    _record("delete", row, gone, actor)
    row.delete()


def _record(action: str, row: Entry, changes: Changes, actor: Actor) -> None:
    kind = str(row._meta.verbose_name)
    AuditEvent.objects.create(
        actor_kind=actor.kind,
        actor_name=actor.name[:255],
        action=f"{action} {kind}",
        target=f"{kind} {row}",
        request_id=actor.request_id[:255],
        changes=json.loads(json.dumps(changes, cls=DjangoJSONEncoder)),
    )
