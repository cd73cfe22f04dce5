"""What a host has and what the rows say of it, read in this order, once a pass.

The number of queries and of calls does not depend on how many containers there are:
Docker's list is one call. What it does not tell is asked of a few at a time, each in
its turn.
"""

import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q

from instances import errors
from instances.containers import CONTAINER_LABEL, ContainerHost, ContainerStatus
from instances.models import (
    Broker,
    Container,
    DockerHost,
    Finding,
    Operation,
    PortLease,
)
from instances.models.clock import database_now
from instances.operations import ghosts, hosts
from instances.operations.host_images import planned
from instances.operations.reconcile import ports

logger = logging.getLogger(__name__)

INSPECTED_EVERY_MIN = 5
"""By hand, limits are changed rarely; looking at all of them takes long."""
INSPECT_LIMIT_S = 8
_State = Container.State
_Kind = Finding.Kind
PRESENT = [state for state in _State if state != _State.GONE]
LOOKED_INTO = (_State.STANDBY, _State.IN_USE)


@dataclass
class Seen:
    """One host at one moment."""

    host: DockerHost
    docker: ContainerHost
    now: datetime
    rows: dict[str, Container]
    """What should be there, by the name in Docker; without secrets."""
    statuses: dict[str, ContainerStatus]
    busy: set[uuid.UUID]
    """Containers that an exclusive operation has in hand."""
    former: dict[uuid.UUID, Container] = field(default_factory=dict)
    """The rows of what has a label of ours and is not among the rows above."""
    inspected: dict[str, ContainerStatus] = field(default_factory=dict)
    wedged: dict[str, str] = field(default_factory=dict)
    """Those that Docker does not answer about, with its words."""
    users: dict[str, ghosts.Users] = field(default_factory=dict)
    leftovers: tuple[str, ...] | None = None
    kept_ports: list[PortLease] = field(default_factory=list)
    """Resting ports on which something is."""
    refusing: list[str] = field(default_factory=list)
    """Containers on whose ports nobody listens, although Docker publishes them."""

    def row_of(self, status: ContainerStatus) -> Container | None:
        """By its label: names can be changed (FAILURES F51)."""
        label = label_of(status)
        return self.former.get(label) if label else None

    def is_unseen(self, finding: Finding) -> bool:
        """Whether this pass has not looked at what that is about."""
        container = finding.name.partition("/")[0]
        if finding.kind == _Kind.LEFTOVER:
            return self.leftovers is None
        if container not in self.statuses:
            return False
        if finding.kind in (_Kind.LIMITS, _Kind.WEDGED):
            return container not in {*self.inspected, *self.wedged}
        of_users = (_Kind.GHOST, _Kind.MISSING_USER, _Kind.UNKNOWN_USER)
        return finding.kind in of_users and container not in self.users


def look(host: DockerHost, *, is_full: bool = False) -> Seen:
    """Raise HostUnreachable. Nothing is changed, in the rows neither."""
    # Rows first: a container listed afterwards has had its row before.
    rows = {row.name: row for row in _present(host)}
    docker = hosts.connect(host)
    broker_id = str(Broker.this().broker_id)
    listed = {status.name: status for status in docker.list(broker_id=broker_id)}
    now = database_now(DockerHost.objects.filter(pk=host.pk))
    seen = Seen(host, docker, now, rows, listed, _busy())
    seen.former = _former(listed[name] for name in listed.keys() - rows.keys())
    _inspect(seen, is_full=is_full)
    _ask_databases(seen, is_full=is_full)
    if is_full or _is_turn(host.pk, seen.now, INSPECTED_EVERY_MIN):
        seen.leftovers = docker.leftovers(broker_id=broker_id)
    seen.kept_ports = ports.kept(host)
    seen.refusing = ports.refusing(host, _published(seen))
    return seen


def note(seen: Seen) -> None:
    """Write down that the host has answered, and what it has of the plans' images."""
    host, docker = seen.host, seen.docker
    if not host.engine_id:
        host.pin(docker.describe().engine_id)
    host.note_contact()
    wanted = {row.reference for row in planned(host)}
    present = sorted(name for name in wanted if docker.images.find(name))
    if present != host.present_images:
        DockerHost.objects.filter(pk=host.pk).update(present_images=present)


def label_of(status: ContainerStatus) -> uuid.UUID | None:
    try:
        return uuid.UUID(status.labels.get(CONTAINER_LABEL, ""))
    except ValueError:
        return None


def _present(host: DockerHost) -> models.QuerySet[Container]:
    # An OR of pairs: SQLite reads all of the host's history for an IN of the states.
    wanted = reduce(or_, (Q(host=host, state=state) for state in PRESENT))
    rows = Container.objects.filter(wanted).order_by().defer("admin_secret")
    return rows.select_related("host", "lease", "instance")


def _busy() -> set[uuid.UUID]:
    """On any host: few are, and a database would look through one's history."""
    rows = Operation.objects.unfinished().filter(exclusive_instance__isnull=False)
    found = rows.order_by().values_list("exclusive_instance__container", flat=True)
    return {pk for pk in found if pk is not None}


def _former(statuses: Iterable[ContainerStatus]) -> dict[uuid.UUID, Container]:
    labels = [label for status in statuses if (label := label_of(status))]
    rows = Container.objects.filter(pk__in=labels).defer("admin_secret")
    return {row.pk: row for row in rows.select_related("host")} if labels else {}


def _is_turn(number: int, now: datetime, period_min: int) -> bool:
    """True for one minute of every period, which differs among numbers."""
    return int(now.timestamp()) // 60 % period_min == number % period_min


def _inspect(seen: Seen, *, is_full: bool) -> None:
    docker = hosts.connect(seen.host, timeout_s=INSPECT_LIMIT_S)
    for name, row in seen.rows.items():
        is_wanted = row.state in LOOKED_INTO and row.pk not in seen.busy
        is_turn = is_full or _is_turn(row.pk.int, seen.now, INSPECTED_EVERY_MIN)
        if not (is_wanted and is_turn and name in seen.statuses):
            continue
        try:
            status = docker.find(name)
        except errors.HostUnreachable as error:
            # One wedged container must not keep the others (FAILURES F46).
            docker.ping()
            seen.wedged[name] = error.detail
        else:
            if status is not None:
                seen.inspected[name] = status


def _published(seen: Seen) -> Iterator[Container]:
    """What runs with its port, as Docker says."""
    for name, status in seen.statuses.items():
        row = seen.rows.get(name)
        if row is None or row.state not in LOOKED_INTO or row.pk in seen.busy:
            continue
        if status.is_running and row.port in status.ports:
            yield row


def _ask_databases(seen: Seen, *, is_full: bool) -> None:
    for name, row in seen.rows.items():
        status = seen.statuses.get(name)
        is_due = is_full or ghosts.is_due(row, seen.now)
        if row.state != _State.IN_USE or row.pk in seen.busy or not is_due:
            continue
        if status is None or not status.is_running:
            continue
        try:
            seen.users[name] = ghosts.look(row)
        except errors.BrokerError as error:
            # A database that does not answer is for others to see to.
            logger.warning("container=%s is not asked: %s", row, error.detail)
