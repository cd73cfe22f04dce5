"""Backup images in memory: what a memory host makes of its containers."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instances import errors
from instances.containers import BACKUP_LABEL, BROKER_LABEL, CONTAINER_LABEL
from tests.fakes.faults import counted


@dataclass
class FakeImage:
    data: bytes
    labels: dict[str, str]
    config: bytes = b""
    """As it came in; empty for one that was made here."""


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
    def remove_image(self, reference: str) -> None:
        rows = self.machine.containers.values()
        if any(row.spec.image == reference for row in rows):
            raise errors.HostRefused(detail=f"{reference} is in use")
        self.machine.backups.pop(reference, None)

    @counted
    def list_backups(self, *, broker_id: str) -> dict[str, str]:
        return {
            reference: image.labels[BACKUP_LABEL]
            for reference, image in self.machine.backups.items()
            if image.labels.get(BROKER_LABEL) == broker_id
        }
