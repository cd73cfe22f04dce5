"""A container in the console: how it was made, by its row and by Docker."""

from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances import errors
from instances.admin.base import Section, table
from instances.admin.html import as_lines, link
from instances.admin.live import absence
from instances.containers import ContainerDetails
from instances.models import Container
from instances.operations import hosts
from instances.operations.container_drift import differences

TIMEOUT_S = 3
MOST_PROCESSES = 100
HIDDEN = "(not shown: it is not the image's own)"


def sections(container: Container | None) -> list[Section]:
    """Settings, drift, environment and processes; one section that says why not."""
    why = absence(container)
    if container is None or why:
        return [_made(container, {"absence": why})]
    try:
        host = hosts.connect(container.host, timeout_s=TIMEOUT_S)
        details = host.details(container.name)
        if details is None:
            why = f"Docker on {container.host} has no such container."
            return [_made(container, {"absence": why})]
        return [
            _made(container, {"facts": list(_facts(container, details))}),
            _drift(container, details),
            _environment(details),
            _processes(host.processes(container.name)),
        ]
    except errors.BrokerError as error:
        content = {"problem": str(error), "detail": error.detail}
        return [_made(container, content)]


def _made(container: Container | None, content: dict[str, Any]) -> Section:
    return Section("As Docker has it", "admin/instances/section_live.html", content)


def _facts(
    container: Container, details: ContainerDetails
) -> Iterator[tuple[str, object]]:
    yield "Container", link(container)
    yield "Image", format_html("<bdi>{}</bdi>", details.image)
    yield "Image id", format_html("<bdi>{}</bdi>", details.image_id)
    yield "Memory", f"{details.memory_mb} MiB"
    yield "CPUs", f"{details.cpus:g}"
    yield "Processes at most", details.pids
    ports = (f"{address}:{port} → {inside}" for address, port, inside in details.ports)
    yield "Published", as_lines(ports)
    yield "Network", as_lines(details.networks)
    yield "Mounts", as_lines(details.mounts) if details.mounts else "none"
    yield "Starts again by itself", "yes" if details.restarts else "no"


def _drift(container: Container, details: ContainerDetails) -> Section:
    try:
        found = list(differences(container, details))
    except errors.BrokerError as error:
        found = [error.detail or str(error)]
    return table(
        "Drift from its row",
        ("Difference",),
        ((text,) for text in found),
        empty="None: it is as its row says.",
    )


def _environment(details: ContainerDetails) -> Section:
    return table(
        "Environment",
        ("Name", "Value"),
        (
            (_bdi(name), HIDDEN if value is None else _bdi(value))
            for name, value in sorted(details.environment.items())
        ),
        empty="It has no environment.",
    )


def _processes(rows: list[dict[str, str]]) -> Section:
    headers = tuple(rows[0]) if rows else ()
    return table(
        "Processes",
        headers,
        (tuple(map(_bdi, row.values())) for row in rows[:MOST_PROCESSES]),
        empty="It does not run, so it has none.",
    )


def _bdi(text: str) -> SafeString:
    return format_html("<bdi>{}</bdi>", text)
