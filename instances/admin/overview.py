"""The first page's middle: hosts as bars, instances in numbers, a week as plots."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, FloatField, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Cast, Coalesce, TruncHour
from django.utils import timezone
from django.utils.safestring import SafeString

from instances.admin.base import Section, count_of, table
from instances.admin.history import size
from instances.admin.html import badge, count_link, link, list_url
from instances.admin.plots import Frame, Plot, bar, plot
from instances.models import (
    Backup,
    Container,
    DockerHost,
    HostSample,
    PortLease,
    ServiceInstance,
    ServicePlan,
)
from instances.models.docker_host import HOLDING

MOST_HOSTS = 30
WEEK = timedelta(days=7)
GAP = timedelta(hours=3)
PLOTS = "admin/instances/section_plots.html"


def sections() -> list[Section]:
    """A fixed number of queries; no Docker host is asked."""
    return [_hosts(), *_instances(), _backups(), _trends()]


def _hosts() -> Section:
    rows = _hosts_with_use()[:MOST_HOSTS]
    return table(
        "Docker hosts",
        ("Host", "State", "Memory given", "Disk", "Ports used", "Databases"),
        (tuple(_host_cells(row)) for row in rows),
        empty="There is none yet: add the first one under Docker hosts.",
        all_url=list_url(DockerHost),
    )


def _hosts_with_use() -> Any:
    holding = Container.objects.filter(state__in=HOLDING)
    used = (
        holding.filter(host=OuterRef("pk"))
        .order_by()
        .values("host")
        .annotate(given=Sum("memory_mb"), written=Sum("disk_bytes"))
    )
    return DockerHost.objects.defer("tls_key", "ssh_key").annotate(
        given_mb=Coalesce(Subquery(used.values("given")), 0),
        written=Coalesce(Subquery(used.values("written")), 0),
        ports_used=count_of(PortLease.objects.all(), "host"),
        databases=count_of(holding.filter(state=Container.State.IN_USE), "host"),
    )


def _host_cells(host: Any) -> Iterator[object]:
    yield link(host)
    yield _host_state(host)
    words = f"{size(host.given_mb * 2**20)} of {size(host.memory_mb * 2**20)}"
    yield bar(host.given_mb, host.memory_mb, words)
    yield _disk(host)
    ports = host.port_max - host.port_min + 1
    free = max(ports - host.ports_used, 0)
    yield bar(host.ports_used, ports, f"{host.ports_used} used, {free} free")
    yield count_link(
        host.databases,
        ServiceInstance,
        container__host__id__exact=host.pk,
    )


def _host_state(host: DockerHost) -> SafeString:
    if host.is_quarantined:
        return badge("another engine", tone="bad")
    if host.problem:
        return badge("not reached")
    return badge(host.state, host.get_state_display())


def _disk(host: Any) -> SafeString | str:
    """What databases have written, beside what is free: Docker tells no total."""
    if host.free_bytes is None:
        return "not known"
    words = f"{size(host.written)} of databases, {size(host.free_bytes)} free"
    return bar(host.written, host.written + host.free_bytes, words)


def _instances() -> Iterator[Section]:
    """By state, by engine and by plan, from one count."""
    rows: list[Any] = list(
        ServiceInstance.objects.exclude(state=ServiceInstance.State.GONE)
        .order_by()
        .values("state", "plan", "plan__name")
        .annotate(
            offering=F("plan__offering__name"),
            engine=F("plan__offering__engine"),
            number=Count("pk"),
        )
    )
    empty = "None yet: cf create-service makes the first one."
    states = _counted(rows, lambda row: row["state"])
    shown = [
        (
            badge(state, ServiceInstance.State(state).label),
            count_link(number, ServiceInstance, state__exact=state),
        )
        for state, number in states
    ]
    yield table("Service instances by state", ("State", "Number"), shown, empty=empty)
    engines = _counted(rows, lambda row: row["engine"])
    yield table("By engine", ("Engine", "Number"), engines, empty=empty)
    plans = _counted(
        rows, lambda row: (row["plan"], row["offering"], row["plan__name"])
    )
    named = [
        (
            link(ServicePlan(pk=pk), f"{offering} {name}"),
            count_link(number, ServiceInstance, plan__id__exact=pk),
        )
        for (pk, offering, name), number in plans
    ]
    yield table("By plan", ("Plan", "Number"), named, empty=empty)


def _counted(rows: list[Any], key: Callable[[Any], Any]) -> list[tuple[Any, int]]:
    """The most frequent first."""
    found: Counter[Any] = Counter()
    for row in rows:
        found[key(row)] += row["number"]
    return found.most_common(12)


def _backups() -> Section:
    state, since = Backup.State, timezone.now() - timedelta(days=1)
    numbers = Backup.objects.aggregate(
        verified=Count("pk", filter=Q(state=state.VERIFIED, verified_at__gte=since)),
        unproved=Count("pk", filter=Q(state=state.COMMITTED)),
        failed=Count("pk", filter=Q(state=state.FAILED, created_at__gte=since)),
        missing=Count("pk", filter=Q(state=state.MISSING)),
    )
    shown = [
        (
            "verified in 24 hours",
            count_link(numbers["verified"], Backup, state__exact=state.VERIFIED),
        ),
        (
            "taken and not yet proved",
            count_link(numbers["unproved"], Backup, state__exact=state.COMMITTED),
        ),
        (
            "failed in 24 hours",
            count_link(numbers["failed"], Backup, state__exact=state.FAILED),
        ),
        (
            "whose image is missing",
            count_link(numbers["missing"], Backup, state__exact=state.MISSING),
        ),
    ]
    return table("Backups", ("Backups", "Number"), shown, empty="")


def _trends() -> Section:
    return Section("The last seven days", PLOTS, {"plots": list(_plots())})


def _plots() -> Iterator[Plot]:
    now = timezone.now()
    frame = Frame(now - WEEK, now, GAP)
    hours = list(_hours(frame))
    for title, name, text in (
        ("Databases", "instances", _whole),
        ("Memory given", "given_mb", lambda value: size(value * 2**20)),
        ("Ports used", "ports_used", _whole),
        ("Operations failed", "operations_failed", _whole),
    ):
        points = ((row["hour"], row[name] or 0.0) for row in hours)
        yield plot(title, points, frame, text)


def _hours(frame: Frame) -> Any:
    """For each hour, the mean of every host, all hosts together."""
    names = ("instances", "given_mb", "ports_used", "operations_failed")
    rows = HostSample.objects.filter(is_coarse=True, at__gte=frame.since)
    hosts = Count("host", distinct=True)
    sums: dict[str, Any] = {
        name: Cast(Sum(name), FloatField()) * hosts / Count("pk") for name in names[:3]
    }
    # Each failure is in the one coarse sample after it.
    sums[names[3]] = Sum(names[3])
    return (
        rows.order_by().values(hour=TruncHour("at")).annotate(**sums).order_by("hour")
    )


def _whole(value: float) -> str:
    return f"{value:.0f}"
