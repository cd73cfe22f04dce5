"""Backup images in memory: what a memory host makes of its containers."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instances.containers import BROKER_LABEL, CONTAINER_LABEL, ImageStatus
from tests.fakes.faults import counted

BASE_BYTES = 10**6


@dataclass
class FakeImage:
    data: bytes
    labels: dict[str, str]


class MemoryCommits:
    """The part of a memory host that makes, finds and removes backup images."""

    machine: Any

    @counted
    def commit(self, name: str, reference: str, *, labels: Mapping[str, str]) -> None:
        container = self._existing(name)  # type: ignore[attr-defined]
        data = pickle.dumps((container.databases, container.users))
        inherited = {**container.spec.labels, CONTAINER_LABEL: ""}
        self.machine.backups[reference] = FakeImage(data, {**inherited, **labels})

    @counted
    def resume(self, name: str) -> None:
        container = self.machine.containers.get(name)
        if container is not None and container.state == "paused":
            container.state = "running"

    @counted
    def find_image(self, reference: str) -> ImageStatus | None:
        if reference in self.machine.images:
            return ImageStatus(f"sha256:{reference}", BASE_BYTES, 3, {})
        image = self.machine.backups.get(reference)
        return None if image is None else _status(reference, image)

    @counted
    def remove_image(self, reference: str) -> None:
        self.machine.backups.pop(reference, None)

    @counted
    def list_images(self, *, broker_id: str) -> dict[str, ImageStatus]:
        return {
            reference: _status(reference, image)
            for reference, image in self.machine.backups.items()
            if image.labels.get(BROKER_LABEL) == broker_id
        }


def _status(reference: str, image: FakeImage) -> ImageStatus:
    size = BASE_BYTES + len(image.data)
    return ImageStatus(f"sha256:{reference}", size, 4, image.labels)
