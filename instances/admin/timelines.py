"""The operations of an instance with their steps, the newest first."""

from instances.admin import tables
from instances.admin.base import Section
from instances.admin.operation import timeline
from instances.models import ServiceInstance

MOST_SHOWN = 5
TEMPLATE = "admin/instances/section_operations.html"


def sections(instance: ServiceInstance) -> list[Section]:
    """All in a table, and the latest ones step by step."""
    rows = instance.operations.all()
    listed = tables.operations(rows, instance__id__exact=instance.pk)
    shown = [
        {
            "state": tables.state(row),
            "link": tables.named(row),
            "asked_by": row.requested_by,
            "took": tables.took(row),
            "error": row.error,
            "entries": list(timeline(row)),
        }
        for row in rows[:MOST_SHOWN]
    ]
    steps = Section("The latest, step by step", TEMPLATE, {"operations": shown})
    return [listed, steps] if shown else [listed]
