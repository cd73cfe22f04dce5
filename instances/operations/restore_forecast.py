"""What a restore would change, in numbers, before anybody asks for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from instances import errors
from instances.engines import get_engine
from instances.models import (
    Backup,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import hosts
from instances.operations.swap import STOPPING

_READY = ServiceBinding.State.READY
DOWN_AT_LEAST = timedelta(seconds=1)
DOWN_PER_MB = timedelta(milliseconds=3.3)
"""A server reads much of its data before the first login (DOCKER-LIMITS 5)."""


@dataclass(frozen=True)
class Bindings:
    """How many there are today, and how that differs from then."""

    today: int
    since: int
    """Made since: they are let in, too."""
    ended: int
    """Ended since: they do not come back."""


def count_now(instance: ServiceInstance, backup: Backup) -> dict[str, int]:
    """The same counts as the backup's, of now; empty if the database does not say."""
    container = instance.container
    if container is None or container.state != Container.State.IN_USE:
        return {}
    if container.disk_state == Container.DiskState.STOPPED:
        return {}
    try:
        engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
        return engine.inventory(endpoint, instance.database, backup.witness)
    except errors.BrokerError:
        return {}


def bindings(instance: ServiceInstance, taken_at: datetime) -> Bindings:
    rows = instance.bindings.all()
    return Bindings(
        today=rows.filter(state=_READY).count(),
        since=rows.filter(state=_READY, created_at__gt=taken_at).count(),
        ended=rows.filter(gone_at__gt=taken_at, created_at__lte=taken_at).count(),
    )


def downtime(backup: Backup) -> timedelta:
    """How long nobody can log in: an estimate by size."""
    return DOWN_AT_LEAST + (backup.delta_bytes or 0) / 1e6 * DOWN_PER_MB


def last_downtime(backup: Backup) -> timedelta | None:
    """How long that was at the last restore of such a database."""
    return last_outage(Kind.RESTORE, backup.engine)


def last_outage(kind: Kind, engine: str) -> timedelta | None:
    """How long the last one of that kind took since it had stopped the database."""
    done = Operation.objects.filter(
        kind=kind,
        state=Operation.State.SUCCEEDED,
        instance__plan__offering__engine=engine,
    )
    last = done.order_by("-finished_at").first()
    if last is None or last.finished_at is None:
        return None
    stops = [step["at"] for step in last.steps if step["text"] == STOPPING]
    if not stops:
        return None
    return last.finished_at - datetime.fromisoformat(stops[-1])
