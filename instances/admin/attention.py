"""What needs a person: the first thing that the first page says.

A module with more to say adds a source to SOURCES. Each makes a fixed number of
queries, whatever there is, and asks no Docker host.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Model, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from instances import certificates
from instances.admin import host_disk
from instances.admin.backup_section import PARAMETER, TROUBLED
from instances.admin.html import change_url, list_url
from instances.models import (
    BrokerCredential,
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
    ServicePlan,
    Worker,
)
from instances.models import Finding as Difference
from instances.models.broker import HEARTBEAT_LIMIT
from instances.models.disk import HELD, DiskState
from instances.operations.backup_trouble import troubled

LONGEST_WAIT = timedelta(minutes=5)
"""Longer than any worker is away for a restart."""
FEW_PORTS = 0.05
_Kind = Difference.Kind
OUT_OF_REACH = (_Kind.DOWN, _Kind.PAUSED, _Kind.WEDGED, _Kind.SILENT)


@dataclass(frozen=True)
class Finding:
    """One thing to look at: what it is, what helps, and where that is done."""

    text: str
    url: str
    cure: str = ""
    is_urgent: bool = True
    """Whether somebody is without a database, or will soon be."""

    @property
    def tone(self) -> str:
        return "bad" if self.is_urgent else "wait"


Source = Callable[[], Iterable[Finding]]


def needs_a_person() -> list[Finding]:
    """Everything, the urgent first."""
    found = [finding for source in SOURCES for finding in source()]
    return sorted(found, key=lambda finding: not finding.is_urgent)


def of_rows(
    rows: QuerySet[Model],
    one: str,
    many: str,
    url: str,
    cure: str = "",
    **options: bool,
) -> Iterator[Finding]:
    """One finding for all of the rows: it names the only one.

    `one` has a place for the name, `many` for the number.
    Two queries, whatever there is.
    """
    number, row = rows.count(), rows.first()
    if number == 1 and row is not None:
        yield Finding(one.format(row), change_url(row), cure, **options)
    elif number:
        yield Finding(many.format(number), url, cure, **options)


def _nothing_to_start_with() -> Iterator[Finding]:
    """A new installation's next steps, one at a time."""
    if not DockerHost.objects.exists():
        cure = "Add one, and test its connection."
        url = list_url(DockerHost) + "add/"
        yield Finding("There is no Docker host, so nothing can be made.", url, cure)
    elif not ServicePlan.objects.filter(active=True).exists():
        cure = "manage.py loadcatalog catalog.yml, or add an offering and a plan."
        yield Finding("No active plan is offered.", list_url(ServicePlan), cure)
    elif not BrokerCredential.objects.filter(active=True).exists():
        cure = "manage.py bootstrap makes a login for it."
        text = "No platform can log in."
        yield Finding(text, list_url(BrokerCredential), cure)


def _workers() -> Iterator[Finding]:
    silent = Q(seen_at__lt=Now() - HEARTBEAT_LIMIT)
    numbers = Worker.objects.aggregate(
        silent=Count("pk", filter=silent), alive=Count("pk", filter=~silent)
    )
    url = list_url(Worker)
    if not numbers["alive"]:
        cure = "manage.py worker starts one."
        yield Finding("No worker is alive, so nothing gets done.", url, cure)
    elif numbers["silent"]:
        text = f"{numbers['silent']} workers ended without a word."
        cure = "Others do their work; their log tells why."
        yield Finding(text, url, cure, is_urgent=False)


def _hosts() -> Iterator[Finding]:
    for host in DockerHost.objects.defer("tls_key", "ssh_key"):
        url = change_url(host)
        if host.is_quarantined:
            text = f"Another Docker Engine answers as {host}: nothing is done there."
            cure = "Correct its address, or accept the engine, under Connection."
            yield Finding(text, f"{url}#connection", cure)
        elif host.problem:
            cure = "Test the connection; what is owed there is paid when it answers."
            yield Finding(f"Docker host {host} does not answer.", url, cure)
        if host_disk.is_short(host):
            cure = "Remove backups, or give Docker a larger disk."
            yield Finding(f"Docker host {host} has no room for backups.", url, cure)
        if certificates.is_soon(host.expires_at, timezone.now()):
            cure = "Give its page the new ones."
            text = f"A certificate of Docker host {host} expires."
            yield Finding(text, url, cure, is_urgent=False)


def _ports() -> Iterator[Finding]:
    # Compared here: MariaDB does not know the range's columns in a HAVING.
    rows = DockerHost.objects.annotate(taken=Count("ports"))
    for host in rows.only("name", "port_min", "port_max"):
        span = host.port_max - host.port_min + 1
        if span - host.taken <= span * FEW_PORTS:
            text = f"Docker host {host} has {span - host.taken} free ports left."
            cure = "Widen its range, or add a host."
            yield Finding(text, change_url(host), cure, is_urgent=False)


def _failed() -> Iterator[Finding]:
    state = ServiceInstance.State.FAILED
    return of_rows(
        ServiceInstance.objects.filter(state=state),
        "Service instance {} has failed.",
        "{} service instances have failed.",
        list_url(ServiceInstance, state__exact=state),
        "Its operations say why.",
    )


def _lost() -> Iterator[Finding]:
    lost = ServiceInstance.objects.filter(
        container__lost_at__isnull=False, container__state=Container.State.IN_USE
    )
    return of_rows(
        lost,
        "The container of service instance {} is lost.",
        "The containers of {} service instances are lost.",
        list_url(ServiceInstance, container__lost_at__isempty=0),
        "Restore them from a backup; one that comes back is taken back by itself.",
    )


def _differences() -> Iterator[Finding]:
    """What reconciliation leaves to a person."""
    rows = DockerHost.objects.defer("tls_key", "ssh_key")
    yield from of_rows(
        rows.filter(braked_at__isnull=False),
        "Docker host {} is held back: much of what was there is missing.",
        "{} Docker hosts are held back: much of what was there is missing.",
        list_url(DockerHost),
        "Say on its page that it is really gone, or bring it back.",
    )
    numbers = Difference.objects.aggregate(
        down=Count("pk", filter=Q(kind__in=OUT_OF_REACH)),
        unknown=Count("pk", filter=Q(kind=_Kind.UNKNOWN)),
    )
    if numbers["down"]:
        yield Finding(
            f"Databases that cannot be reached, and stay so: {numbers['down']}.",
            list_url(DockerHost),
            "The page of their Docker host says what was tried, and why it failed.",
        )
    if numbers["unknown"]:
        yield Finding(
            f"{numbers['unknown']} containers of this broker have no row.",
            list_url(DockerHost),
            "The page of their Docker host adopts or removes them.",
            is_urgent=False,
        )


def _full() -> Iterator[Finding]:
    used = Container.objects.filter(state=Container.State.IN_USE)
    numbers = used.aggregate(
        held=Count("pk", filter=Q(disk_state__in=HELD)),
        near=Count("pk", filter=Q(disk_state=DiskState.WARNING)),
    )
    cure = "A plan with more disk helps, or the app deletes what it does not need."
    if numbers["held"]:
        text = f"{numbers['held']} databases are full: read-only or stopped."
        states = ",".join(HELD)
        url = list_url(ServiceInstance, container__disk_state__in=states)
        yield Finding(text, url, cure)
    if numbers["near"]:
        text = f"{numbers['near']} databases are near their disk limit."
        near = DiskState.WARNING.value
        url = list_url(ServiceInstance, container__disk_state__exact=near)
        yield Finding(text, url, cure, is_urgent=False)


def _backups() -> Iterator[Finding]:
    number = troubled(ServiceInstance.objects.all()).count()
    if number:
        yield Finding(
            f"{number} service instances: the latest backup failed or is overdue.",
            list_url(ServiceInstance, **{PARAMETER: TROUBLED}),
            "Their Backups tab says what is wrong.",
        )


def _operations() -> Iterator[Finding]:
    """Work that nobody takes, or that goes on after its time."""
    queued = Operation.objects.filter(
        state=Operation.State.QUEUED, not_before__lt=Now() - LONGEST_WAIT
    )
    yield from of_rows(
        queued,
        "Nobody takes the operation {}.",
        "Nobody takes {} operations that are due.",
        list_url(Operation, state__exact=Operation.State.QUEUED),
        "Look whether workers are alive and hosts answer.",
    )


def _debts() -> Iterator[Finding]:
    """What is to be removed from hosts that do not answer."""
    state = Container.State.RETIRING
    there = ~Q(host__problem="") | ~Q(host__other_engine_id="")
    number = Container.objects.filter(there, state=state).count()
    if number:
        yield Finding(
            f"{number} containers are to be removed from hosts that do not answer.",
            list_url(Container, state__exact=state),
            "That happens by itself when they answer again.",
            is_urgent=False,
        )


SOURCES: list[Source] = [
    _nothing_to_start_with,
    _workers,
    _hosts,
    _failed,
    _lost,
    _differences,
    _full,
    _operations,
    _backups,
    _ports,
    _debts,
]
