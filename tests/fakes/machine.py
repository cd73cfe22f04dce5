"""A host in memory as it is between one client and the next."""

import itertools
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from instances.containers import ContainerSpec, ImageBuild
from instances.engines.mariadb import MariaDB
from tests.fakes.commits import FakeImage
from tests.fakes.faults import Faults
from tests.fakes.images import id_of

IMAGE = "brokersite/mariadb:10.11.2"
INCOMING = f"{MariaDB.incoming_path}/data"


@dataclass
class FakeContainer:
    spec: ContainerSpec
    state: str = "created"
    image_id: str = ""
    exit_code: int = 0
    started_at: datetime | None = None
    created_at: datetime = field(default_factory=timezone.now)
    log: str = ""
    # What the engine keeps inside; it goes with the container.
    databases: dict[str, list[str]] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """What was unpacked into it, by path."""
    restarts: bool = True
    mounts: tuple[str, ...] = ()
    is_read_only: bool = False
    size: int = 0
    """Bytes of its own layer."""
    cpu_ms: int = 0
    """Grows whenever it is asked for."""
    is_being_read: bool = False
    """Docker locks it as long."""
    is_torn: bool = False
    """Its data is of different moments."""

    def take_in(self) -> None:
        """What the entrypoint does with another container's data."""
        incoming = self.files.pop(INCOMING, None)
        if incoming is not None:
            self.databases, self.users = pickle.loads(incoming)  # noqa: S301

    @property
    def address(self) -> tuple[str, int]:
        return self.spec.publish_address, self.spec.publish_port


@dataclass
class Machine:
    """What survives of a host when a client of it comes and goes."""

    faults: Faults
    images: set[str] = field(default_factory=lambda: {IMAGE})
    registry: set[str] = field(default_factory=set)
    """What it can pull."""
    built: dict[str, ImageBuild] = field(default_factory=dict)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    strangers: set[tuple[str, int]] = field(default_factory=set)
    """(address, port) pairs that other programs hold."""
    failing_images: dict[str, int] = field(default_factory=dict)
    """Images whose containers exit at once, with their exit codes."""
    backups: dict[str, FakeImage] = field(default_factory=dict)
    """Images made of containers, by their references, or ids without."""
    numbers: Iterator[int] = field(default_factory=itertools.count)
    deaf_images: set[str] = field(default_factory=set)
    """Images that do not take in another container's data."""
    foreign_images: set[str] = field(default_factory=set)
    """Images without the folder for another container's data."""
    copy_code: int = 0
    """The exit code of what copies beside a server."""
    is_down: bool = False
    engine_id: str = "memory"
    description: dict[str, Any] = field(default_factory=dict)
    """What describe() says otherwise than usual."""
    addresses: set[str] = field(default_factory=lambda: {"127.0.0.1"})
    ephemeral_ports: tuple[int, int] = (32768, 60999)
    free_bytes: int | None = 100 * 2**30
    """None: its images cannot tell."""
    leftovers: list[str] = field(default_factory=list)
    """Volumes and networks with the broker's label."""
    lost_ports: set[int] = field(default_factory=set)
    """Nobody listens there, although containers that run publish them."""
    silent_ports: set[int] = field(default_factory=set)
    """What comes there is passed on to nobody."""
    is_walled: bool = False
    """A firewall drops what comes to any port."""
    is_forgetful: bool = False
    """It lists no container (FAILURES F31)."""
    saving: int = 0
    """How many images are being read."""

    def listed(self) -> dict[str, FakeImage]:
        """Docker hides an unnamed one that another is made of."""
        bases = {image.base for image in self.backups.values()}
        return {name: row for name, row in self.backups.items() if name not in bases}

    def has(self, image: str) -> bool:
        """By its name or its id."""
        names = (*self.images, *self.backups)
        return image in names or image in {id_of(self, name) for name in self.images}

    def running(self) -> list[FakeContainer]:
        return [row for row in self.containers.values() if row.state == "running"]
