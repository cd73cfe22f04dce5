"""What the Docker host says about a container at this moment."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.http import urlencode

from instances import errors
from instances.admin.base import Section
from instances.admin.history import percent, size, speed
from instances.admin.html import NOTHING, badge, moment
from instances.containers import ContainerHost, ContainerStatus, ContainerUsage
from instances.models import Container, ContainerSample
from instances.operations import hosts
from instances.operations.sampling import sessions

TIMEOUT_S = 3
REFRESH_MS = 5000
COUNTERS = {
    "cpu_ms": "CPU",
    "received_bytes": "Network in",
    "sent_bytes": "Network out",
    "read_bytes": "Read from disk",
    "written_bytes": "Written to disk",
}
TEMPLATE = "admin/instances/section_live.html"


def live(
    container: Container | None,
    *,
    before: Mapping[str, str] | None = None,
    refresh_url: str = "",
) -> Section:
    """Ask the host. One that does not answer is told of, never raised.

    Speeds are since the reading before, which the address of the next one carries.
    """
    content: dict[str, Any] = {"absence": absence(container)}
    if container is not None and not content["absence"]:
        try:
            content = _ask(container, _former(container, before))
        except errors.BrokerError as error:
            content = {"problem": str(error), "detail": error.detail}
        reading = content.pop("reading", {})
        query = f"?{urlencode(reading)}" if reading else ""
        if refresh_url:
            content["refresh_url"] = f"{refresh_url}{query}"
            content["refresh_ms"] = REFRESH_MS
    return Section("At this moment", TEMPLATE, content)


def absence(container: Container | None) -> str:
    """Why there is nothing to ask a host for, if so."""
    if container is None:
        return "There is no container."
    if container.state == Container.State.GONE:
        return "The container has been removed from its host."
    return ""


def _ask(container: Container, former: Mapping[str, float]) -> dict[str, Any]:
    """Raise HostUnreachable."""
    host = hosts.connect(container.host, timeout_s=TIMEOUT_S)
    status = host.find(container.name)
    if status is None:
        return {"absence": f"Docker on {container.host} has no such container."}
    facts = list(_state(status))
    if not status.is_running:
        return {"facts": facts}
    usage = _usage(host, container)
    if usage is None:
        return {"facts": [*facts, ("Use", "not known yet: it has just started")]}
    reading = {name: getattr(usage, name) for name in COUNTERS}
    reading["at"] = usage.at.timestamp()
    return {
        "facts": [*facts, *_use(container, usage), *_speeds(reading, former)],
        "reading": reading,
    }


def _usage(host: ContainerHost, container: Container) -> ContainerUsage | None:
    return host.usage([container.name], limit_s=TIMEOUT_S).get(container.name)


def _state(status: ContainerStatus) -> Iterator[tuple[str, object]]:
    tone = "good" if status.is_running else ""
    yield "State", badge(status.state, tone=tone)
    yield "Started at (UTC)", moment(status.started_at)
    if not status.is_running:
        yield "Exit code", status.exit_code
    killed = status.out_of_memory
    yield "Killed for lack of memory", badge("yes", tone="bad") if killed else "no"


def _use(container: Container, usage: ContainerUsage) -> Iterator[tuple[str, object]]:
    limit = container.memory_mb * 2**20
    yield "Memory", f"{size(usage.memory_bytes)} of {size(limit)}"
    if container.disk_bytes is not None:
        of = f" of {container.disk_mb} MiB" if container.disk_mb else ""
        yield "Disk", f"{container.disk_used_mb} MiB{of}"
    yield "Processes", f"{usage.processes} of {container.pids}"
    known = sessions(container)
    number = "not known by this engine" if known is None else sum(known.values())
    yield "Connections", number


def _speeds(
    reading: Mapping[str, float], former: Mapping[str, float]
) -> Iterator[tuple[str, object]]:
    passed = reading["at"] - former.get("at", reading["at"])
    for name, label in COUNTERS.items():
        grown = reading[name] - former.get(name, reading[name])
        if passed <= 0 or grown < 0:
            yield label, NOTHING
        elif not reading[name]:
            yield label, "none counted"
        elif name == "cpu_ms":
            yield label, f"{percent(grown / passed / 10)} of one processor"
        else:
            yield label, speed(grown / passed)


def _former(
    container: Container, before: Mapping[str, str] | None
) -> Mapping[str, float]:
    """The reading that the address carries, or the latest sample."""
    names = ("at", *COUNTERS)
    try:
        return {name: float((before or {})[name]) for name in names}
    except (KeyError, ValueError):
        pass
    row = ContainerSample.objects.filter(container=container).order_by("-at").first()
    if row is None:
        return {}
    return {"at": _timestamp(row.at), **{name: getattr(row, name) for name in COUNTERS}}


def _timestamp(at: datetime) -> float:
    return at.timestamp()
