"""The first page's side: what an operator wants to know before anything else."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from instances.admin import host_disk
from instances.admin.html import list_url
from instances.models import (
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
    ServicePlan,
    Worker,
)

RECENT = timedelta(hours=24)


@dataclass(frozen=True)
class Fact:
    label: str
    number: int
    url: str
    tone: str


def glance() -> list[Fact]:
    return [
        *(*_instances(), *_disks()),
        *(*_standbys(), *_operations(), *_processes()),
    ]


def _instances() -> list[Fact]:
    state = ServiceInstance.State
    numbers = ServiceInstance.objects.aggregate(
        ready=Count("pk", filter=Q(state=state.READY)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
    )
    return [
        Fact(
            "service instances ready",
            numbers["ready"],
            list_url(ServiceInstance, state__exact=state.READY),
            "good",
        ),
        Fact(
            "service instances failed",
            numbers["failed"],
            list_url(ServiceInstance, state__exact=state.FAILED),
            _bad_if(numbers["failed"] > 0),
        ),
    ]


def _disks() -> list[Fact]:
    """Nothing, where there is room."""
    known = DockerHost.objects.filter(free_bytes__isnull=False)
    short = sum(host_disk.is_short(row) for row in known)
    if not short:
        return []
    label = "Docker hosts without room for backups"
    return [Fact(label, short, list_url(DockerHost), "bad")]


def _standbys() -> list[Fact]:
    """Nothing, where no plan keeps any."""
    state = Container.State.STANDBY
    plans = ServicePlan.objects.filter(active=True, offering__active=True)
    wanted = plans.aggregate(wanted=Sum("standby"))["wanted"] or 0
    ready = Container.objects.filter(state=state).count()
    if not wanted + ready:
        return []
    label = f"of {wanted} standby containers ready"
    url = list_url(Container, state__exact=state)
    return [Fact(label, ready, url, "good" if ready >= wanted else "busy")]


def _operations() -> list[Fact]:
    since = timezone.now() - RECENT
    failed = Operation.objects.filter(
        state=Operation.State.FAILED, created_at__gte=since
    ).count()
    unfinished = Operation.objects.unfinished().count()
    return [
        Fact("operations under way", unfinished, _under_way_url(), "busy"),
        Fact(
            "operations failed in 24 hours",
            failed,
            list_url(Operation, state__exact=Operation.State.FAILED),
            _bad_if(failed > 0),
        ),
    ]


def _under_way_url() -> str:
    states = f"{Operation.State.QUEUED},{Operation.State.RUNNING}"
    return list_url(Operation, state__in=states)


def _processes() -> list[Fact]:
    troubled = DockerHost.objects.exclude(problem="").count()
    alive = Worker.objects.alive().count()
    return [
        Fact(
            "Docker hosts not reached",
            troubled,
            list_url(DockerHost),
            _bad_if(troubled > 0),
        ),
        *_debts(),
        Fact("workers alive", alive, list_url(Worker), _bad_if(alive == 0)),
    ]


def _debts() -> list[Fact]:
    """Nothing, where forced deprovisions have left nothing."""
    state = Container.State.RETIRING
    number = Container.objects.filter(state=state).exclude(host__problem="").count()
    if not number:
        return []
    label = "containers to be removed when their hosts answer"
    return [Fact(label, number, list_url(Container, state__exact=state), "wait")]


def _bad_if(condition: bool) -> str:
    return "bad" if condition else "good"
