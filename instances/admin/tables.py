"""Tables of related rows, as they stand on the pages of other rows."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from instances.admin import host_containers
from instances.admin.base import Section, secret_columns, table
from instances.admin.html import NOTHING, badge, isolated, link, list_url, moment, span
from instances.models import (
    AuditEvent,
    Container,
    DockerHost,
    Operation,
)

MOST_ROWS = 20


def operations(rows: QuerySet[Operation], **filters: Any) -> Section:
    """The newest operations; the filters lead to all of them."""
    return table(
        "Operations",
        ("Operation", "State", "Recorded (UTC)", "Took", "Asked for by", "Error"),
        (
            (
                named(row),
                state(row),
                moment(row.created_at),
                took(row),
                isolated(row.requested_by),
                isolated(row.error),
            )
            for row in rows[:MOST_ROWS]
        ),
        empty="No operation has been recorded: each provision, bind, update and "
        "backup will be here, with its steps.",
        all_url=list_url(Operation, **filters),
    )


def named(operation: Operation) -> SafeString:
    return link(operation, operation.get_kind_display())


def state(operation: Operation) -> SafeString:
    return badge(operation.state, operation.get_state_display())


def took(operation: Operation) -> str:
    """How long the work took, the wait in the queue not counted."""
    if operation.started_at is None or operation.finished_at is None:
        return NOTHING
    return span(operation.finished_at - operation.started_at)


def audit(rows: QuerySet[AuditEvent], **filters: Any) -> Section:
    return table(
        "Audit",
        ("When (UTC)", "Who", "What", "Request"),
        (
            (
                moment(row.at),
                isolated(f"{row.actor_kind} {row.actor_name}"),
                link(row, row.action),
                isolated(row.request_id, longest=24),
            )
            for row in rows[:MOST_ROWS]
        ),
        empty="Nobody has asked for anything yet: each wish of the platform and of "
        "operators will be here.",
        all_url=list_url(AuditEvent, **filters),
    )


def containers(host: DockerHost) -> Section:
    rows = host.containers.exclude(state=Container.State.GONE)
    related = ("instance", "lease")
    rows = rows.select_related(*related).defer(*secret_columns(Container, related))
    return table(
        "Containers",
        ("Container", "State", "Port", "Memory (MiB)", "Service instance", "Image"),
        _container_rows(rows[:MOST_ROWS]),
        empty="No container of this broker is on the host: the next service instance "
        "that is placed here gets the first one.",
        all_url=list_url(Container, host__id__exact=host.pk),
        more=(host_containers.url(host), "What Docker has there, strangers' included"),
    )


def debts(host: DockerHost) -> list[Section]:
    """What a deprovision has left there, and reconciliation still has to remove."""
    rows = host.containers.filter(state=Container.State.RETIRING)
    related = ("instance", "lease")
    owed = rows.select_related(*related).defer(*secret_columns(Container, related))
    if not host.problem and not host.is_quarantined and not owed:
        return []
    found = table(
        "Debts: to be removed once this host answers",
        ("Container", "Port", "Service instance", "Gone since (UTC)"),
        (
            (
                row.name,
                row.port,
                link(getattr(row, "instance", None)),
                moment(getattr(getattr(row, "instance", None), "gone_at", None)),
            )
            for row in owed[:MOST_ROWS]
        ),
        empty="None: nothing was left here by a forced deprovision.",
        all_url=list_url(Container, host__id__exact=host.pk, state__exact="retiring"),
    )
    return [found]


def _container_rows(rows: Iterable[Container]) -> Iterable[tuple[object, ...]]:
    for row in rows:
        yield (
            link(row),
            badge(row.state, row.get_state_display()),
            row.port,
            row.memory_mb,
            link(getattr(row, "instance", None)),
            row.image,
        )
