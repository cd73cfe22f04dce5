"""Names of today, as Cloud Controller says them: they change, and brokers are not told.

Each is written where it differs, and to the letter: not every database compares so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from instances.cloud_controller import MOST_GUIDS, CloudController
from instances.models import ServiceBinding, ServiceInstance


def note_instances(rows: Sequence[Any], names: Mapping[str, str]) -> None:
    """The rows have guid and instance_name. A name that is not said stays."""
    for row in rows:
        name = names.get(row.guid, "")
        if name and name != row.instance_name:
            # Unless it was renamed through the broker in this moment.
            now = ServiceInstance.objects.filter(
                pk=row.pk, instance_name=row.instance_name
            )
            now.update(instance_name=name)


def note_bindings(rows: Sequence[Any], names: Mapping[str, str]) -> None:
    """The rows have guid and app_name."""
    for row in rows:
        name = names.get(row.guid, "")
        if name and name != row.app_name:
            ServiceBinding.objects.filter(pk=row.pk).update(app_name=name)


def look_up_spaces(platform: CloudController) -> None:
    """Those of the service instances that are there. Raise PlatformUnavailable."""
    live = ServiceInstance.objects.filter(live_key__isnull=False).exclude(space_guid="")
    columns = ("space_guid", "space_name", "organization_name")
    noted: dict[str, set[tuple[str, str]]] = {}
    for guid, *names in live.values_list(*columns).order_by().distinct():
        noted.setdefault(guid, set()).add((names[0], names[1]))
    for batch in _batches(sorted(noted)):
        for guid, space in platform.spaces(batch).items():
            names_now = (space.name, space.organization_name)
            if all(names_now) and noted[guid] != {names_now}:
                live.filter(space_guid=guid).update(
                    space_name=space.name, organization_name=space.organization_name
                )


def _batches(guids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(guids), MOST_GUIDS):
        yield guids[start : start + MOST_GUIDS]
