"""How a Docker Engine shows containers: use, log lines, processes, settings."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import docker
from docker.errors import APIError, NotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.base import BROKER_LABEL
from instances.containers.docker_api import lend
from instances.containers.watching import (
    ContainerDetails,
    ContainerUsage,
    LogLine,
    Neighbour,
)

AT_ONCE = 8
"""Docker 20.10 answers at the next full second, each for itself."""
ONE_S = 4.0
"""For one container's figures."""
LONGEST_LINE = 2_000
MIB = 2**20
_CONTROL = re.compile(
    r"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_FILES = ("total_inactive_file", "inactive_file")
"""What the kernel can drop, by cgroup version."""


class DockerWatching:
    """The part of a Docker Engine that is only looked at."""

    _access: Access
    _timeout_s: int

    def usage(
        self, names: Sequence[str], *, limit_s: float
    ) -> dict[str, ContainerUsage]:
        with lend(self._access, timeout_s=min(limit_s, self._timeout_s)) as api:
            rows = api.containers(filters={"status": ["running", "paused"]})
        running = {name.lstrip("/") for row in rows for name in row["Names"] or ()}
        asked = [name for name in names if name in running]
        ask = partial(self._usage_of, ends_at=time.monotonic() + limit_s)
        with ThreadPoolExecutor(min(AT_ONCE, len(asked) or 1)) as pool:
            found = dict(zip(asked, pool.map(ask, asked), strict=True))
        return {name: usage for name, usage in found.items() if usage is not None}

    def _usage_of(self, name: str, *, ends_at: float) -> ContainerUsage | None:
        left = ends_at - time.monotonic()
        if left <= 0:
            return None
        with suppress(errors.HostUnreachable, errors.HostRefused):
            with lend(self._access, timeout_s=min(left, ONE_S)) as api:
                url = f"{api.base_url}/v{api.api_version}/containers/{name}/stats"
                # one-shot: else it takes a second more, for a second reading.
                asked = {"stream": "false", "one-shot": "true"}
                response = api.get(url, params=asked)
                return _usage(response.json()) if response.ok else None
        return None

    def log_lines(
        self, name: str, *, lines: int, since: datetime | None = None
    ) -> list[LogLine]:
        found: list[LogLine] = []
        with lend(self._access, timeout_s=self._timeout_s) as api:
            for stream in ("stdout", "stderr"):
                with suppress(NotFound):
                    text = api.logs(
                        name,
                        stdout=stream == "stdout",
                        stderr=stream == "stderr",
                        timestamps=True,
                        tail=lines,
                        since=since and since.timestamp(),
                    )
                    found += _lines(bytes(text), stream)
        found.sort(key=lambda line: line.at)
        return found[-lines:]

    def processes(self, name: str) -> list[dict[str, str]]:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                found = api.top(name)
            except NotFound:
                return []
            except APIError as error:
                if error.status_code == 409:
                    return []  # it does not run
                raise
        return [
            {
                str(title): _CONTROL.sub("", str(cell))
                for title, cell in zip(found["Titles"], row, strict=False)
            }
            for row in found["Processes"] or ()
        ]

    def details(self, name: str) -> ContainerDetails | None:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                found = api.inspect_container(name)
            except NotFound:
                return None
            return _details(found, _image_environment(api, found["Image"]))

    def neighbours(self, *, broker_id: str) -> list[Neighbour]:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            rows = api.containers(all=True)
        found = [_neighbour(row, broker_id) for row in rows if row["Names"]]
        return sorted(found, key=lambda row: row.name)


def _usage(said: Mapping[str, Any]) -> ContainerUsage | None:
    at = _moment(said["read"])
    memory = said.get("memory_stats") or {}
    if at is None or "usage" not in memory:
        return None  # it has just ended
    kept = memory.get("stats") or {}
    droppable = next((kept[name] for name in _FILES if name in kept), 0)
    nets = (said.get("networks") or {}).values()
    moved = {"read": 0, "write": 0}
    blocks = (said.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    for row in blocks or ():
        word = row["op"].lower()
        if word in moved:
            moved[word] += row["value"]
    return ContainerUsage(
        at=at,
        cpu_ms=said["cpu_stats"]["cpu_usage"]["total_usage"] // 1_000_000,
        memory_bytes=max(memory["usage"] - droppable, 0),
        received_bytes=sum(net["rx_bytes"] for net in nets),
        sent_bytes=sum(net["tx_bytes"] for net in nets),
        read_bytes=moved["read"],
        written_bytes=moved["write"],
        processes=(said.get("pids_stats") or {}).get("current", 0),
    )


def _lines(text: bytes, stream: str) -> Iterator[LogLine]:
    for line in text.decode(errors="replace").split("\n"):
        at, _, said = line.partition(" ")
        moment = _moment(at)
        if moment is not None:
            yield LogLine(moment, stream, _CONTROL.sub("", said)[:LONGEST_LINE])


def _moment(text: str) -> datetime | None:
    """Docker's nanosecond time, to the microsecond; its zero is year 1."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", text)
    if found is None or text.startswith("0001"):
        return None
    fraction = (found[2] or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{found[1]}.{fraction}").replace(tzinfo=UTC)


def _image_environment(api: docker.APIClient, image: str) -> set[str]:
    try:
        return set(_config_of(api, image)["Env"] or ())
    except NotFound:
        return set()  # it was removed, or is another's backup


def _config_of(api: docker.APIClient, image: str) -> Mapping[str, Any]:
    return api.inspect_image(image)["Config"]  # type: ignore[no-any-return,no-untyped-call]


def _details(found: Mapping[str, Any], public: set[str]) -> ContainerDetails:
    config, host = found["Config"], found["HostConfig"]
    environment = {}
    for line in config["Env"] or ():
        name, _, value = line.partition("=")
        environment[name] = value if line in public else None
    tmpfs = host.get("Tmpfs") or {}
    return ContainerDetails(
        image=config["Image"],
        image_id=found["Image"],
        memory_mb=host["Memory"] // MIB,
        cpus=host["NanoCpus"] / 1_000_000_000,
        pids=host["PidsLimit"] or 0,
        ports=tuple(_ports(host["PortBindings"] or {})),
        restarts=host["RestartPolicy"]["Name"] in ("always", "unless-stopped"),
        mounts=(*(row["Destination"] for row in found["Mounts"]), *tmpfs),
        environment=environment,
        networks=tuple((found["NetworkSettings"] or {}).get("Networks") or ()),
    )


def _ports(bindings: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    for inside, published in bindings.items():
        for row in published or ():
            if row["HostPort"]:
                port = int(inside.partition("/")[0])
                yield row["HostIp"], int(row["HostPort"]), port


def _neighbour(row: Mapping[str, Any], broker_id: str) -> Neighbour:
    ports = {port["PublicPort"] for port in row["Ports"] or () if "PublicPort" in port}
    return Neighbour(
        name=row["Names"][0].lstrip("/"),
        image=row["Image"],
        state=row["State"],
        status=row["Status"],
        is_ours=(row["Labels"] or {}).get(BROKER_LABEL) == broker_id,
        ports=tuple(sorted(ports)),
    )
