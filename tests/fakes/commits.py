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
    base: str = ""
    """The unnamed image that it is made of."""
    is_torn: bool = False
    """Its files are of different moments."""
    config: bytes = b""
    """As it came in; empty for one that was made here."""


class MemoryCommits:
    """The part of a memory host that makes, finds and removes backup images."""

    machine: Any

    @counted
    def commit(
        self,
        name: str,
        reference: str,
        *,
        labels: Mapping[str, str],
        pauses: bool = True,
    ) -> str:
        container = self._existing(name)  # type: ignore[attr-defined]
        image_id = f"sha256:{next(self.machine.numbers)}"
        inherited = {**container.spec.labels, CONTAINER_LABEL: ""}
        self.machine.backups[reference or image_id] = FakeImage(
            pickle.dumps((container.databases, container.users)),
            {**inherited, **labels},
            base=container.spec.image
            if container.spec.image in self.machine.backups
            else "",
            is_torn=container.is_torn or (not pauses and container.state == "running"),
        )
        return image_id

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
        self.machine.images.discard(reference)
        removed = self.machine.backups.pop(reference, None)
        if removed is not None:
            self.machine.backups.pop(removed.base, None)

    @counted
    def list_backups(self, *, broker_id: str) -> dict[str, str]:
        return {
            reference: image.labels[BACKUP_LABEL]
            for reference, image in self.machine.listed().items()
            if image.labels.get(BROKER_LABEL) == broker_id
        }
