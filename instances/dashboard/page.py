"""What the page of a service instance says. Nothing of it is a secret."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from instances.admin.base import secret_columns, table
from instances.admin.html import NOTHING, badge, isolated, moment, shorten
from instances.dashboard import connecting
from instances.models import (
    Backup,
    Container,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.models.backup_override import clock_of, limits_of
from instances.models.disk import DiskState
from instances.models.service_instance import digest
from instances.operations import backup_schedule

MOST_ROWS = 10
DISK = {
    DiskState.WARNING: "More than 80 % is used: delete what is not needed, or ask for "
    "a plan with more disk.",
    DiskState.READ_ONLY: "The disk is full, so that apps can only read: change to a "
    "plan with more disk with cf update-service.",
    DiskState.STOPPED: "The disk is full, so that the database is stopped: change to a "
    "plan with more disk with cf update-service.",
}


_RELATED = ("plan__offering", "container__host", "container__lease", "backup_override")


def find(guid: str) -> ServiceInstance | None:
    """The live one of that id, and none of the secrets that belong to it."""
    rows = ServiceInstance.objects.select_related(*_RELATED)
    secrets = secret_columns(ServiceInstance, ("container__host",))
    return rows.defer(*secrets).filter(live_key=digest(guid)).first()


def content(row: ServiceInstance, *, may_manage: bool) -> dict[str, Any]:
    """For who may only read, without addresses and what can be asked for."""
    return {
        "title": shorten(str(row)),
        "instance": row,
        "offering": row.plan.offering,
        "state": badge(row.state, row.get_state_display()),
        "facts": list(_facts(row)),
        "uses": list(_uses(row)),
        "disk_warning": _disk_warning(row.container),
        "tables": [_bindings(row), _backups(row), _operations(row)],
        "backup_facts": list(_backup_facts(row)),
        "ways": connecting.ways(row) if may_manage else [],
        "wishes": connecting.wishes(row) if may_manage else [],
    }


def _facts(row: ServiceInstance) -> Iterator[tuple[str, object]]:
    context = row.context
    yield "Plan", f"{row.plan.offering.name}, {row.plan.name}"
    yield "Organization", isolated(_text(context.get("organization_name")))
    yield "Space", isolated(_text(context.get("space_name")))
    yield "GUID", isolated(row.guid)
    yield "Created (UTC)", moment(row.created_at)


def _uses(row: ServiceInstance) -> Iterator[tuple[str, object]]:
    made, plan = row.container, row.plan
    if made is None:
        return
    yield "Memory", f"{made.memory_mb} MiB"
    yield "CPUs", f"{made.cpus.normalize():f}"
    yield "Connections", f"{plan.connections} for each binding"
    yield "Disk", _disk(made)
    bound = row.bindings.exclude(state=ServiceBinding.State.GONE).count()
    yield "Bindings", bound


def _disk(made: Container) -> str:
    limit = f"{made.disk_mb} MiB" if made.disk_mb else "no limit"
    if made.disk_bytes is None:
        return f"{limit}, not measured yet"
    return f"{made.disk_used_mb} MiB used of {limit}"


def _disk_warning(made: Container | None) -> str:
    return DISK.get(DiskState(made.disk_state), "") if made else ""


def _bindings(row: ServiceInstance) -> Any:
    rows: QuerySet[ServiceBinding] = row.bindings.exclude(
        state=ServiceBinding.State.GONE
    ).defer(*secret_columns(ServiceBinding))
    return table(
        "Connections",
        ("App", "Binding", "State", "Created (UTC)", "Expires (UTC)"),
        (
            (
                isolated(found.app_guid) if found.app_guid else "a service key",
                isolated(found.guid),
                badge(found.state, found.get_state_display()),
                moment(found.created_at),
                moment(found.expires_at),
            )
            for found in rows[:MOST_ROWS]
        ),
        empty="No app is bound. cf bind-service and cf restage give it a login.",
    )


def _backups(row: ServiceInstance) -> Any:
    hidden = (Backup.State.GONE, Backup.State.EXPIRING)
    rows = row.backups.exclude(state__in=hidden).order_by("-created_at")
    return table(
        "Backups",
        ("Taken (UTC)", "State", "Why", "Kept until (UTC)", "Id"),
        (
            (
                moment(found.taken_at or found.created_at),
                badge(found.state, found.get_state_display()),
                found.get_trigger_display(),
                moment(found.expires_at),
                isolated(str(found.pk)),
            )
            for found in rows[:MOST_ROWS]
        ),
        empty="No backup has been taken yet.",
    )


def _backup_facts(row: ServiceInstance) -> Iterator[tuple[str, object]]:
    clock = clock_of(row)
    yield "By the clock", str(clock) or "never"
    if row.state == ServiceInstance.State.READY:
        yield "Next (UTC)", moment(backup_schedule.next_due(row))
    yield "Kept are", str(limits_of(row))


def _operations(row: ServiceInstance) -> Any:
    rows: QuerySet[Operation] = row.operations.all()
    return table(
        "Lately",
        ("What", "State", "Asked for (UTC)", "What happened"),
        (
            (
                found.get_kind_display(),
                badge(found.state, found.get_state_display()),
                moment(found.created_at),
                _outcome(found),
            )
            for found in rows[:MOST_ROWS]
        ),
        empty="Nothing has been asked for yet.",
    )


def _outcome(row: Operation) -> SafeString:
    """The sentence that the platform's user gets; the operator's detail stays."""
    return isolated(row.error, longest=200) if row.error else NOTHING


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
