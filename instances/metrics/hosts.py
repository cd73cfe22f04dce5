"""Docker hosts: whether they answer, and what room there is."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Count, Q, Sum
from django.db.models.functions import Now
from prometheus_client import Metric

from instances.metrics.families import MIB, add_moment, gauge
from instances.models import Container, DockerHost, PortLease

_State = Container.State
STATES = [state for state in _State if state != _State.GONE]
COUNTED = (_State.STARTING, _State.STANDBY, _State.ADOPTING, _State.IN_USE)
"""What counts against a host's memory budget, as in DockerHost.free_memory_mb."""


def collect() -> Iterator[Metric]:
    """Take three queries."""
    hosts = list(DockerHost.objects.order_by("name"))
    yield from _contact(hosts)
    yield from _room(hosts)
    yield _ports(hosts)


def _contact(hosts: list[DockerHost]) -> Iterator[Metric]:
    up = gauge("host_up", "Whether the last contact went well.", "host")
    active = gauge("host_active", "Whether it may get new containers.", "host")
    contact = gauge(
        "host_last_contact_timestamp_seconds", "When it answered last.", "host"
    )
    for host in hosts:
        labels = (host.name,)
        up.add_metric(labels, host.reached_at is not None and not host.problem)
        active.add_metric(labels, host.state == DockerHost.State.ACTIVE)
        add_moment(contact, host.reached_at, labels)
    yield from (up, active, contact)


def _room(hosts: list[DockerHost]) -> Iterator[Metric]:
    budget = gauge("host_memory_budget_bytes", "What databases may be given.", "host")
    used = gauge("host_memory_used_bytes", "What they have been given.", "host")
    containers = gauge("containers", "Containers that have a row.", "host", "state")
    disks = gauge("containers_disk", "Containers by their disk limit.", "host", "disk")
    found = _containers()
    for host in hosts:
        labels = (host.name,)
        budget.add_metric(labels, host.memory_mb * MIB)
        used.add_metric(labels, found.memory_mb[host.pk] * MIB)
        for state in STATES:
            containers.add_metric((host.name, state), found.states[host.pk, state])
        for disk in Container.DiskState:
            disks.add_metric((host.name, disk), found.disks[host.pk, disk])
    yield from (budget, used, containers, disks)


@dataclass
class _Containers:
    """Numbers by the host's key."""

    memory_mb: Counter[int] = field(default_factory=Counter)
    states: Counter[tuple[int, str]] = field(default_factory=Counter)
    disks: Counter[tuple[int, str]] = field(default_factory=Counter)


def _containers() -> _Containers:
    found = _Containers()
    rows = Container.objects.order_by().filter(state__in=STATES)
    for row in rows.values("host_id", "state", "disk_state").annotate(
        number=Count("pk"), memory=Sum("memory_mb")
    ):
        host_id = row["host_id"]
        found.states[host_id, row["state"]] += row["number"]
        found.disks[host_id, row["disk_state"]] += row["number"]
        if row["state"] in COUNTED:
            found.memory_mb[host_id] += row["memory"]
    return found


def _ports(hosts: list[DockerHost]) -> Metric:
    family = gauge("host_ports", "Ports of the host's range.", "host", "state")
    rows = PortLease.objects.order_by().values("host_id")
    found = {
        row["host_id"]: row
        for row in rows.annotate(
            leased=Count("pk", filter=Q(container__isnull=False)),
            resting=Count("pk", filter=Q(resting_until__gt=Now())),
        )
    }
    for host in hosts:
        row = found.get(host.pk, {"leased": 0, "resting": 0})
        # More than there are, where the range was made smaller.
        free = host.port_max - host.port_min + 1 - row["leased"] - row["resting"]
        family.add_metric((host.name, "leased"), row["leased"])
        family.add_metric((host.name, "resting"), row["resting"])
        family.add_metric((host.name, "free"), max(0, free))
    return family
