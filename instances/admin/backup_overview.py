"""What stands below the list of backups: for all, or for the one it is filtered to."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from instances.admin import backup_chart
from instances.admin import backup_display as display
from instances.admin.base import Section, table
from instances.admin.html import as_list, link, list_url
from instances.models import Backup, ServiceInstance
from instances.models.backup_override import clock_of
from instances.operations import backup_trouble, retention

NIGHT = timedelta(hours=24)
MOST_ROWS = 20
INSTANCE = "instance__id__exact"


def sections(request: HttpRequest) -> list[Section]:
    instance = _chosen(request)
    if instance is not None:
        return [backup_chart.of_instance(instance), _going([instance])]
    return [_trouble(), _going(None), backup_chart.of_all()]


def _chosen(request: HttpRequest) -> ServiceInstance | None:
    """The one that the list is filtered to."""
    try:
        pk = uuid.UUID(request.GET.get(INSTANCE, ""))
    except ValueError:
        return None
    rows = ServiceInstance.objects.select_related("plan__offering", "backup_override")
    return rows.filter(pk=pk).first()


def _going(only: list[ServiceInstance] | None) -> Section:
    rows = list(_those_going(only))
    return table(
        "What goes within 24 hours",
        ("Service instance", "Backups", "Taken (UTC)", "Kept are"),
        rows[:MOST_ROWS],
        empty="Nothing goes within 24 hours, if all that is to come is verified.",
    )


def _those_going(only: list[ServiceInstance] | None) -> Iterator[tuple[object, ...]]:
    if only is None:
        found = retention.going_soon(within=NIGHT)
    else:
        found = [(row, retention.expired(row, within=NIGHT)) for row in only]
    for instance, going in found:
        if going:
            whose = link(instance)
            dates = as_list(display.moments(going[:MOST_ROWS]))
            yield whose, len(going), dates, display.retention(instance)


def _trouble() -> Section:
    related = ("plan__offering", "backup_override")
    rows: Any = backup_trouble.troubled(ServiceInstance.objects.all())
    found = list(rows.select_related(*related)[: MOST_ROWS + 1])
    return table(
        "In trouble",
        ("Service instance", "What is wrong", "By the clock"),
        [(link(row), _wrong(row), clock_of(row)) for row in found[:MOST_ROWS]],
        empty="No service instance's latest backup has failed, is missing or overdue.",
        all_url=list_url(ServiceInstance, backups="troubled"),
    )


def _wrong(row: Any) -> str:
    words = {
        Backup.State.FAILED: "the latest has failed",
        Backup.State.MISSING: "the image of the latest is missing",
    }
    said = [words[row.last_backup]] if row.last_backup in words else []
    if row.is_backup_overdue:
        said.append("none has been verified as is asked for")
    return as_list(said)
