"""What a memory host shows of its containers."""

import re
from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from instances.containers import (
    BROKER_LABEL,
    ContainerDetails,
    ContainerUsage,
    LogLine,
    Neighbour,
)
from tests.fakes.faults import counted
from tests.fakes.machine import FakeContainer, Machine

_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
IMAGE_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


class MemoryWatching:
    """The part that only looks."""

    machine: Machine

    @counted
    def usage(
        self, names: Sequence[str], *, limit_s: float
    ) -> dict[str, ContainerUsage]:
        running = {row.spec.name: row for row in self.machine.running()}
        return {name: _usage(running[name]) for name in names if name in running}

    @counted
    def log_lines(
        self, name: str, *, lines: int, since: datetime | None = None
    ) -> list[LogLine]:
        container = self.machine.containers.get(name)
        if container is None:
            return []
        at = container.started_at or timezone.now()
        if since is not None and at < since:
            return []
        texts = _CONTROL.sub("", container.log).splitlines()[-lines:]
        return [LogLine(at, "stdout", text[:2_000]) for text in texts]

    @counted
    def processes(self, name: str) -> list[dict[str, str]]:
        running = {row.spec.name for row in self.machine.running()}
        return [{"PID": "1", "CMD": "server"}] if name in running else []

    @counted
    def details(self, name: str) -> ContainerDetails | None:
        container = self.machine.containers.get(name)
        if container is None:
            return None
        spec = container.spec
        ports = ()
        if spec.publish_port is not None:
            ports = ((spec.publish_address, spec.publish_port, spec.port),)
        return ContainerDetails(
            image=spec.image,
            image_id=container.image_id,
            memory_mb=spec.memory_mb,
            cpus=spec.cpus,
            pids=spec.pids,
            ports=ports,
            restarts=container.restarts,
            mounts=container.mounts,
            environment={**IMAGE_ENVIRONMENT, **dict.fromkeys(spec.environment)},
            networks=("brokersite",),
        )

    @counted
    def neighbours(self, *, broker_id: str) -> list[Neighbour]:
        found = [
            Neighbour(
                name=row.spec.name,
                image=row.spec.image,
                state=row.state,
                status=row.state,
                is_ours=row.spec.labels.get(BROKER_LABEL) == broker_id,
                ports=(row.spec.publish_port,) if row.state == "running" else (),
            )
            for row in self.machine.containers.values()
        ]
        return sorted(found, key=lambda row: row.name)


def _usage(container: FakeContainer) -> ContainerUsage:
    container.cpu_ms += 1
    return ContainerUsage(
        at=timezone.now(),
        cpu_ms=container.cpu_ms,
        memory_bytes=10 * 2**20,
        received_bytes=1_000,
        sent_bytes=2_000,
        read_bytes=3_000,
        written_bytes=4_000 + container.size,
        processes=1,
    )
