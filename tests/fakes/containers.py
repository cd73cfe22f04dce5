"""A container host in memory, with Docker's observed ways (FACTS §2, §6)."""

import io
import pickle
import re
import tarfile
from collections.abc import Generator, Iterable
from dataclasses import replace

from django.utils import timezone

from instances import errors
from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerSpec,
    ContainerStatus,
    HostDescription,
    HostNetwork,
    Limits,
)
from instances.engines import exports
from instances.engines.mariadb import MariaDB
from tests.fakes import hot, proofs
from tests.fakes.commits import MemoryCommits
from tests.fakes.faults import counted
from tests.fakes.images import MemoryImageStore, id_of
from tests.fakes.machine import FakeContainer, Machine
from tests.fakes.transfers import MemoryTransfers
from tests.fakes.watching import MemoryWatching

DATA = MariaDB.data_path
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class MemoryContainerHost(MemoryCommits, MemoryTransfers, MemoryWatching):
    """A connection to a Machine."""

    def __init__(self, machine: Machine, *, engine_id: str = "") -> None:
        self.machine, self.faults = machine, machine.faults
        self._known_engine = engine_id
        self.images = MemoryImageStore(machine)

    def refuse_if_down(self) -> None:
        if self.machine.is_down:
            raise errors.HostUnreachable(detail="the machine is down")
        if self._known_engine and self._known_engine != self.machine.engine_id:
            found = self.machine.engine_id
            raise errors.WrongEngine(found=found, known=self._known_engine)

    @counted
    def ping(self) -> None:
        pass

    @counted
    def describe(self) -> HostDescription:
        usual = {"version": "1", "memory_mb": 16384, "api_version": "1.41"}
        described = {**usual, **self.machine.description}
        return HostDescription(engine_id=self.machine.engine_id, **described)

    @counted
    def look_around(self, image: str) -> HostNetwork:
        if image not in self.machine.images:
            raise errors.ImageMissing(detail=f"image {image} is not here")
        return HostNetwork(
            frozenset(self.machine.addresses), self.machine.ephemeral_ports
        )

    @counted
    def create(self, spec: ContainerSpec) -> None:
        found = self.machine.containers.get(spec.name)
        if found is not None:
            label = found.spec.labels.get(CONTAINER_LABEL)
            if label != spec.labels.get(CONTAINER_LABEL):
                raise errors.ContainerFailed(detail=f"{spec.name} is not ours")
            if found.spec.publish_port == spec.publish_port:
                return
        backup = self.machine.backups.get(spec.image)
        if not self.machine.has(spec.image):
            raise errors.ImageMissing(detail=f"image {spec.image} is not here")
        # The port is not looked at: that is for start to find out (F54).
        made = self.machine.containers[spec.name] = FakeContainer(
            replace(spec),
            image_id=id_of(self.machine, spec.image),
            restarts=spec.restarts,
        )
        if backup is not None:
            made.databases, made.users = pickle.loads(backup.data)  # noqa: S301
            made.is_torn = backup.is_torn

    @counted
    def start(self, name: str) -> None:
        container = self._existing(name)
        if container.state == "running":
            return
        if "PROVE" in container.spec.environment:
            return self._prove(container)
        if container.spec.beside:
            return self._copy(container)
        if container.spec.entrypoint:
            return self._export(container)
        taken = {row.address for row in self.machine.running()}
        is_public = container.spec.publish_port is not None
        if is_public and container.address in taken | self.machine.strangers:
            raise errors.PortTaken(detail="port is already allocated")
        container.is_read_only = False
        container.exit_code = self.machine.failing_images.get(container.spec.image, 0)
        container.state = "restarting" if container.exit_code else "running"
        container.started_at = timezone.now()
        if container.spec.image not in self.machine.deaf_images:
            container.take_in()

    @counted
    def restart(self, name: str) -> None:
        container = self._existing(name)
        self.machine.lost_ports.discard(container.spec.publish_port or 0)
        container.is_read_only = False
        container.state = "running"
        container.started_at = timezone.now()

    def _prove(self, container: FakeContainer) -> None:
        """It counts, prints and ends."""
        code = self.machine.failing_images.get(container.spec.image, 0)
        code = code or int(container.is_torn)
        container.state, container.exit_code = "exited", code
        if not code:
            container.take_in()
            question = container.spec.environment["PROVE"]
            container.log = proofs.log_of(container, question)

    def _copy(self, container: FakeContainer) -> None:
        """It copies a running server's data, and ends."""
        server = self._existing(container.spec.beside)
        if server.state != "running":
            raise errors.HostRefused(detail="cannot join a container that is down")
        container.state, container.exit_code = "exited", self.machine.copy_code
        container.log = "copied"
        data = pickle.dumps((server.databases, server.users))
        container.databases, container.users = pickle.loads(data)  # noqa: S301

    def _export(self, container: FakeContainer) -> None:
        """It writes the rows of one database down, and ends."""
        code = self.machine.failing_images.get(container.spec.image, 0)
        container.state, container.exit_code = "exited", code
        (database,) = container.spec.command
        rows = container.databases[database]
        container.files[exports.PATH] = "\n".join(rows).encode()

    @counted
    def stop(self, name: str, *, limit_s: int) -> None:
        container = self._existing(name)
        container.restarts = False
        if container.state != "created":
            container.state = "exited"

    @counted
    def limit(self, spec: ContainerSpec) -> None:
        container = self._existing(spec.name)
        container.restarts = True
        container.spec = replace(
            container.spec, memory_mb=spec.memory_mb, cpus=spec.cpus, pids=spec.pids
        )

    @counted
    def read_archive(self, name: str, path: str) -> Generator[bytes]:
        container = self._existing(name)
        data = pickle.dumps((container.databases, container.users))
        content = data if path == DATA else container.files.get(path)
        if content is None:
            raise errors.ContainerFailed(detail=f"{name} has no {path}")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo(path.rpartition("/")[2])
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return _read(container, packed.getvalue())

    @counted
    def write_archive(self, name: str, path: str, chunks: Iterable[bytes]) -> None:
        container = self._existing(name)
        if container.spec.image in self.machine.foreign_images:
            next(iter(chunks))
            raise errors.ContainerFailed(detail=f"{name} has no {path}")
        packed = io.BytesIO(b"".join(chunks))
        with tarfile.open(fileobj=packed) as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                container.files[f"{path}/{member.name}"] = content.read()
                container.is_torn &= member.name != hot.MENDING

    def _existing(self, name: str) -> FakeContainer:
        container = self.machine.containers.get(name)
        if container is None:
            raise errors.ContainerFailed(detail=f"{name} does not exist")
        if container.is_being_read:
            raise errors.HostUnreachable(detail=f"{name} is being read")
        return container

    @counted
    def find(self, name: str) -> ContainerStatus | None:
        container = self.machine.containers.get(name)
        if container is None:
            return None
        spec = container.spec
        limits = Limits(spec.memory_mb, spec.cpus, spec.pids, container.restarts)
        ports = tuple(filter(None, [spec.publish_port]))
        return replace(_status(container), limits=limits, ports=ports)

    @counted
    def list(self, *, broker_id: str) -> list[ContainerStatus]:
        if self.machine.is_forgetful:
            return []
        return [
            _status(container)
            for container in self.machine.containers.values()
            if container.spec.labels.get(BROKER_LABEL) == broker_id
        ]

    @counted
    def leftovers(self, *, broker_id: str) -> tuple[str, ...]:
        return tuple(self.machine.leftovers)

    @counted
    def sizes(self, *, broker_id: str) -> dict[str, int]:
        return {
            container.spec.name: container.size
            for container in self.machine.containers.values()
            if container.spec.labels.get(BROKER_LABEL) == broker_id
        }

    @counted
    def free_bytes(self, image: str, *, broker_id: str) -> int | None:
        is_there = image in self.machine.images
        return self.machine.free_bytes if is_there else None

    @counted
    def remove(self, name: str) -> None:
        self.machine.containers.pop(name, None)

    @counted
    def discard(self, name: str) -> bool:
        container = self.machine.containers.get(name)
        if container is not None and container.started_at is None:
            del self.machine.containers[name]
        return name not in self.machine.containers

    @counted
    def logs(self, name: str, *, lines: int) -> str:
        container = self.machine.containers.get(name)
        text = "" if container is None else container.log
        return _CONTROL.sub("", "".join(text.splitlines(keepends=True)[-lines:]))


def _read(container: FakeContainer, packed: bytes) -> Generator[bytes]:
    container.is_being_read = True
    try:
        yield packed[:512]
        yield packed[512:]
    finally:
        container.is_being_read = False


def _status(container: FakeContainer) -> ContainerStatus:
    return ContainerStatus(
        name=container.spec.name,
        state=container.state,
        image=container.spec.image,
        labels=container.spec.labels,
        image_id=container.image_id,
        exit_code=container.exit_code,
        started_at=container.started_at,
        mounts=container.mounts,
        ports=tuple(filter(None, [container.spec.publish_port]))
        if container.state == "running"
        else (),
        created_at=container.created_at,
    )
