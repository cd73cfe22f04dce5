"""An image store in memory: a registry is a set, and a build only echoes and exits."""

import hashlib
import io
import re
import tarfile
from typing import Any

from instances import errors
from instances.containers import ImageBuild, ImageStatus, Report
from tests.fakes import transfers
from tests.fakes.faults import counted


class MemoryImageStore:
    """The images of a Machine."""

    def __init__(self, machine: Any) -> None:
        self.machine, self.faults = machine, machine.faults

    def refuse_if_down(self) -> None:
        if self.machine.is_down:
            raise errors.HostUnreachable(detail="the machine is down")

    @counted
    def find(self, reference: str) -> ImageStatus | None:
        backup = self.machine.backups.get(reference)
        if backup is not None:
            size = 200_000_000 + len(backup.data)
            return ImageStatus(reference, transfers.id_of(backup), size, 6)
        if reference not in self.machine.images:
            return None
        build = self.machine.built.get(reference)
        return ImageStatus(
            reference=reference,
            id=id_of(self.machine, reference),
            size_bytes=len(build.context) if build else 200_000_000,
            layers=5,
            labels=build.labels if build else {},
        )

    @counted
    def pull(self, reference: str, *, report: Report) -> None:
        report("pulling: 0 of 1 layers")
        if reference not in self.machine.registry:
            raise errors.ImageFailed(detail=f"{reference}: manifest unknown")
        self.machine.images.add(reference)
        self.machine.built.pop(reference, None)
        report("pulling: 1 of 1 layers")

    @counted
    def build(self, build: ImageBuild, *, report: Report) -> None:
        base = build.arguments["BASE"]
        if base not in self.machine.images:
            raise errors.ImageFailed(detail=f"{base}: manifest unknown")
        said = []
        commands = r"^RUN echo (.*?)(; exit 1)?$"
        for text, status in re.findall(commands, _dockerfile(build), re.M):
            said.append(text)
            report(f"step: {text}")
            if status:
                raise errors.ImageFailed(detail="\n".join([*said, "returned 1"]))
        self.machine.images.add(build.reference)
        self.machine.built[build.reference] = build


def id_of(machine: Any, reference: str) -> str:
    """The same for what is built of the same."""
    build = machine.built.get(reference)
    content = repr((reference, build)).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _dockerfile(build: ImageBuild) -> str:
    with tarfile.open(fileobj=io.BytesIO(build.context)) as tar:
        return tar.extractfile("Dockerfile").read().decode()
