"""Findings: where what was seen differs from the rows. Nothing is asked or changed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from instances.containers import SCRATCH_LABEL, ContainerStatus
from instances.models import Container, Finding, PortLease, ServiceBinding
from instances.models.finding import CURES
from instances.operations.reconcile import drift
from instances.operations.reconcile.observation import Seen, label_of

NOBODYS_AFTER = timedelta(minutes=10)
LEFT_AFTER = timedelta(minutes=10)
"""A row is written before its container is made; this is for good measure."""
MOST_MISSING = 5
MOST_MISSING_SHARE = 0.2
"""More than both, and an operator is asked first (FAILURES F31)."""

WANTED = (Container.State.STANDBY, Container.State.IN_USE)
"""States of containers that run; those in between belong to whoever is at work."""
_Kind, _State = Finding.Kind, Container.State


@dataclass(frozen=True)
class Found:
    """One difference."""

    kind: str
    name: str
    """Of the container, volume, network or port."""
    text: str = ""
    """What is so, in this case."""
    row: Container | None = None
    status: ContainerStatus | None = None
    user: str = ""
    binding: ServiceBinding | None = None
    lease: PortLease | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return str(Finding.Kind(self.kind).label)

    @property
    def cure(self) -> str:
        return CURES[self.kind]

    def standing(self, text: str = "") -> Finding:
        """As the row of what is still so."""
        name = f"{self.name}/{self.user}" if self.user else self.name
        text = text or self.text
        # Docker lets a name be as long as it likes.
        name = name[: Finding.LONGEST_NAME]
        return Finding(kind=self.kind, name=name, text=text, details=self.details)


def compare(seen: Seen) -> Iterator[Found]:
    """In the order in which they are settled: what is to go may hold another's port."""
    missing = _missing(seen)
    if _is_too_much(seen, missing):
        text = f"{len(missing)} of {_number_wanted(seen)} are not listed by Docker"
        details = {"missing": len(missing)}
        yield Found(_Kind.BRAKE, seen.host.name, text, details=details)
        return
    for row in seen.rows.values():
        yield from _of_row(seen, row)
    for name in sorted(seen.statuses.keys() - seen.rows.keys()):
        yield from _of_stranger(seen, seen.statuses[name])
    for name, row in seen.rows.items():
        status = seen.statuses.get(name)
        if status is not None:
            yield from _of_status(seen, row, status)
    for name, users in seen.users.items():
        for user in users.ghosts:
            yield Found(_Kind.GHOST, name, user, seen.rows[name], user=user)
        for binding in users.missing:
            user = binding.username
            yield Found(_Kind.MISSING_USER, name, user, user=user, binding=binding)
        for user in users.unknown:
            yield Found(_Kind.UNKNOWN_USER, name, user, user=user)
    for name in seen.leftovers or ():
        yield Found(_Kind.LEFTOVER, name)
    for lease in seen.kept_ports:
        yield Found(_Kind.KEPT_PORT, f"port {lease.number}", lease=lease)


def is_to_run(row: Container) -> bool:
    """Whether it should run: the one place that is asked for it."""
    is_held = row.disk_state == Container.DiskState.STOPPED or row.stopped_at
    return row.state in WANTED and not is_held


def _missing(seen: Seen) -> list[Container]:
    there = {*seen.statuses, *_renamed(seen)}
    return [
        row
        for row in seen.rows.values()
        if row.state in WANTED and row.lost_at is None and row.name not in there
    ]


def _number_wanted(seen: Seen) -> int:
    """Those that are lost already have been seen to."""
    rows = seen.rows.values()
    return sum(row.state in WANTED and row.lost_at is None for row in rows)


def _is_too_much(seen: Seen, missing: list[Container]) -> bool:
    number, conceded = len(missing), seen.host.conceded
    if number <= MOST_MISSING or number <= MOST_MISSING_SHARE * _number_wanted(seen):
        return False
    return conceded is None or number > conceded


def _renamed(seen: Seen) -> dict[str, ContainerStatus]:
    """What has the label of one of ours, and not its name, by that name."""
    found = {}
    for name in seen.statuses.keys() - seen.rows.keys():
        row = seen.row_of(seen.statuses[name])
        if row and row.name in seen.rows and row.name not in seen.statuses:
            found[row.name] = seen.statuses[name]
    return found


def _of_row(seen: Seen, row: Container) -> Iterator[Found]:
    is_there = row.name in seen.statuses or row.name in _renamed(seen)
    if row.state == _State.RETIRING:
        yield Found(_Kind.UNWANTED, row.name, "it is retiring", row)
    elif _is_nobodys(seen, row):
        yield Found(_Kind.NOBODYS, row.name, f"its row is {row.state}", row)
    elif row.state == _State.STANDBY and not is_there:
        yield Found(_Kind.NO_STANDBY, row.name, row=row)
    elif row.state == _State.IN_USE and not is_there and row.pk not in seen.busy:
        yield Found(_Kind.LOST, row.name, _of_instance(row), row)
    elif row.lost_at is not None and is_there:
        yield Found(_Kind.BACK, row.name, _of_instance(row), row)


def _of_instance(row: Container) -> str:
    instance = getattr(row, "instance", None)
    return f"service instance {instance.guid}" if instance else "no service instance"


def _is_nobodys(seen: Seen, row: Container) -> bool:
    """A start, or a throw-away one, that nobody waits for any more."""
    if row.state == _State.SCRATCH:
        return row.claimed_until is None or row.claimed_until < seen.now
    return (
        row.state == _State.STARTING
        and row.claimed_until is None
        and row.succeeds_id is None
        and row.created_at < seen.now - NOBODYS_AFTER
        and not hasattr(row, "instance")
    )


def _of_stranger(seen: Seen, status: ContainerStatus) -> Iterator[Found]:
    """One that is not among this host's rows, by its name."""
    row = seen.row_of(status)
    if row is None:
        text = "its label is none of ours" if label_of(status) is None else ""
    elif row.host_id != seen.host.pk:
        text = f"its row says that it is on {row.host}"
    elif _renamed(seen).get(row.name) is status:
        yield Found(_Kind.RENAMED, row.name, f"it is called {status.name}", row)
        return
    elif row.name != status.name:
        text = f"it has the label of {row.name}"
    else:
        # A late create of one that is gone, or that goes at this moment.
        yield Found(_Kind.UNWANTED, status.name, f"its row is {row.state}", row, status)
        return
    if SCRATCH_LABEL in status.labels:
        if status.created_at and status.created_at < seen.now - LEFT_AFTER:
            yield Found(_Kind.LEFT, status.name, text, status=status)
        return
    yield Found(
        _Kind.UNKNOWN, status.name, text, status=status, details=_described(status)
    )


def _described(status: ContainerStatus) -> dict[str, Any]:
    return {
        "image": status.image,
        "state": status.state,
        "ports": list(status.ports),
        "created_at": status.created_at.isoformat() if status.created_at else "",
    }


def _of_status(seen: Seen, row: Container, status: ContainerStatus) -> Iterator[Found]:
    name, runs = row.name, is_to_run(row)
    if runs and status.state == "paused":
        if row.pk not in seen.busy:
            yield Found(_Kind.PAUSED, name, row=row, status=status)
    elif runs and not status.is_running:
        yield Found(_Kind.DOWN, name, f"Docker says {status.state}", row, status)
    if row.state not in WANTED or row.pk in seen.busy:
        return
    text = drift.port(row, status)
    if text:
        yield Found(_Kind.PORT, name, text, row, status)
    text = drift.image(row, status)
    if text:
        yield Found(_Kind.IMAGE, name, text, row, status)
    text = drift.limits(row, seen.inspected.get(name), restarts=runs)
    if text:
        yield Found(_Kind.LIMITS, name, text, row, status)
    if name in seen.refusing and runs:
        yield Found(_Kind.SILENT, name, f"port {row.port}", row, status)
    if name in seen.wedged:
        yield Found(_Kind.WEDGED, name, seen.wedged[name], row, status)
