"""A container host in memory, with Docker's observed ways (FACTS §2, §6)."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from instances import errors
from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerSpec,
    ContainerStatus,
    HostDescription,
)
from tests.fakes.faults import Faults, counted

IMAGE = "brokersite/mariadb:10.11"
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass
class FakeContainer:
    spec: ContainerSpec
    state: str = "created"
    exit_code: int = 0
    log: str = ""
    # What the engine keeps inside; it goes with the container.
    databases: dict[str, list[str]] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    is_read_only: bool = False
    size: int = 0
    """Bytes of its own layer."""

    @property
    def address(self) -> tuple[str, int]:
        return self.spec.publish_address, self.spec.publish_port


@dataclass
class Machine:
    """What survives of a host when a client of it comes and goes."""

    faults: Faults
    images: set[str] = field(default_factory=lambda: {IMAGE})
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    strangers: set[tuple[str, int]] = field(default_factory=set)
    """(address, port) pairs that other programs hold."""
    failing_images: dict[str, int] = field(default_factory=dict)
    """Images whose containers exit at once, with their exit codes."""
    is_down: bool = False

    def running(self) -> list[FakeContainer]:
        return [row for row in self.containers.values() if row.state == "running"]


class MemoryContainerHost:
    """A connection to a Machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.faults = machine, machine.faults

    def refuse_if_down(self) -> None:
        if self.machine.is_down:
            raise errors.HostUnreachable(detail="the machine is down")

    @counted
    def describe(self) -> HostDescription:
        return HostDescription(engine_id="memory", version="1", memory_mb=16384)

    @counted
    def create(self, spec: ContainerSpec) -> None:
        found = self.machine.containers.get(spec.name)
        if found is not None:
            label = found.spec.labels.get(CONTAINER_LABEL)
            if label != spec.labels.get(CONTAINER_LABEL):
                raise errors.ContainerFailed(detail=f"{spec.name} is not ours")
            if found.spec.publish_port == spec.publish_port:
                return
        if spec.image not in self.machine.images:
            raise errors.ImageMissing(detail=f"image {spec.image} is not here")
        # The port is not looked at: that is for start to find out (F54).
        self.machine.containers[spec.name] = FakeContainer(replace(spec))

    @counted
    def start(self, name: str) -> None:
        container = self.machine.containers.get(name)
        if container is None:
            raise errors.ContainerFailed(detail=f"{name} does not exist")
        if container.state == "running":
            return
        taken = {row.address for row in self.machine.running()}
        if container.address in taken | self.machine.strangers:
            raise errors.PortTaken(detail="port is already allocated")
        container.is_read_only = False
        container.exit_code = self.machine.failing_images.get(container.spec.image, 0)
        container.state = "restarting" if container.exit_code else "running"

    @counted
    def restart(self, name: str) -> None:
        container = self.machine.containers.get(name)
        if container is None:
            raise errors.ContainerFailed(detail=f"{name} does not exist")
        container.is_read_only = False
        container.state = "running"

    @counted
    def stop(self, name: str) -> None:
        container = self.machine.containers.get(name)
        if container is None:
            raise errors.ContainerFailed(detail=f"{name} does not exist")
        if container.state != "created":
            container.state = "exited"

    @counted
    def limit(self, spec: ContainerSpec) -> None:
        container = self.machine.containers.get(spec.name)
        if container is None:
            raise errors.ContainerFailed(detail=f"{spec.name} does not exist")
        container.spec = replace(
            container.spec, memory_mb=spec.memory_mb, cpus=spec.cpus, pids=spec.pids
        )

    @counted
    def find(self, name: str) -> ContainerStatus | None:
        container = self.machine.containers.get(name)
        return None if container is None else _status(container)

    @counted
    def list(self, *, broker_id: str) -> list[ContainerStatus]:
        return [
            _status(container)
            for container in self.machine.containers.values()
            if container.spec.labels.get(BROKER_LABEL) == broker_id
        ]

    @counted
    def sizes(self, *, broker_id: str) -> dict[str, int]:
        return {
            container.spec.name: container.size
            for container in self.machine.containers.values()
            if container.spec.labels.get(BROKER_LABEL) == broker_id
        }

    @counted
    def remove(self, name: str) -> None:
        self.machine.containers.pop(name, None)

    @counted
    def logs(self, name: str, *, lines: int) -> str:
        container = self.machine.containers.get(name)
        text = "" if container is None else container.log
        return _CONTROL.sub("", "".join(text.splitlines(keepends=True)[-lines:]))


def _status(container: FakeContainer) -> ContainerStatus:
    return ContainerStatus(
        name=container.spec.name,
        state=container.state,
        image=container.spec.image,
        labels=container.spec.labels,
        exit_code=container.exit_code,
    )
