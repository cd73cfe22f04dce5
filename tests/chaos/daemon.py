"""A Docker Engine of the lab: in a network namespace of its own, behind a proxy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker

from tests.chaos.proxy import Proxy
from tests.system.private_docker import PrivateDocker

LEFT_BYTES = 2**20
OCCUPY = """
import socket, sys
held = []
for number in sys.argv[2:]:
    try:
        held.append(socket.create_server((sys.argv[1], int(number))))
    except OSError:
        pass
print(*(line.getsockname()[1] for line in held), flush=True)
sys.stdin.read()
"""
NEXT = "-next"
"""A second name of each image: what an update changes to."""


class Daemon(PrivateDocker):
    """Its own socket is the checker's, and the proxy's is the broker's."""

    start_limit_s = 120.0

    def __init__(
        self,
        images: Iterable[str],
        *,
        has_live_restore: bool = False,
        disk_mb: int = 0,
    ) -> None:
        super().__init__(disk_mb=disk_mb)
        self._has_live_restore = has_live_restore
        self._images = tuple(images)
        socket = self.url.removeprefix("unix://")
        self.proxy = Proxy(self.root / "proxy.sock", self.root / "docker.sock")
        assert socket == str(self.root / "docker.sock")

    def __enter__(self) -> "Daemon":
        super().__enter__()
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            if self._daemon is not None:
                self.thaw()
            self.proxy.__exit__()
        finally:
            super().__exit__()

    def _copy_image(self) -> None:
        source = docker.APIClient("unix:///var/run/docker.sock", version="1.41")
        source.timeout = 120
        for image in self._images:
            for _ in self.api.load_image(source.get_image(image)):
                pass
            self.api.tag(image, *_next(image).rsplit(":", 1))

    def options(self) -> list[str]:
        return ["--live-restore"] if self._has_live_restore else []

    @property
    def has_disk(self) -> bool:
        return bool(self._disk_mb)

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Its disk has no room as long; ENOSPC for whoever writes."""
        filler = self.root / "data/filler"
        try:
            with filler.open("wb") as file:
                room = shutil.disk_usage(filler.parent).free
                with suppress(OSError):  # it is full, then
                    os.posix_fallocate(file.fileno(), 0, max(room - LEFT_BYTES, 1))
            yield
        finally:
            filler.unlink(missing_ok=True)

    @contextmanager
    def occupied(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        """Another program listens on those of these ports that it can get."""
        command = ["nsenter", f"--net=/run/netns/{self.name}", sys.executable, "-c"]
        with subprocess.Popen(
            [*command, OCCUPY, self.address, *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            assert program.stdin is not None and program.stdout is not None
            try:
                yield [int(word) for word in program.stdout.readline().split()]
            finally:
                program.stdin.close()
                program.wait(10)

    def kill_and_start(self) -> None:
        self.kill()
        self.start()

    def containers(self) -> list[Any]:
        return list(self.api.containers(all=True))

    def images(self) -> list[Any]:
        """Without those that it began with; untagged ones too."""
        own = {*self._images, *map(_next, self._images)}
        return [
            row for row in self.api.images() if not own & set(row["RepoTags"] or ())
        ]

    def volumes(self) -> list[str]:
        return [row["Name"] for row in self.api.volumes()["Volumes"] or []]

    def own_networks(self) -> list[Any]:
        usual = {"bridge", "host", "none"}
        return [row for row in self.api.networks() if row["Name"] not in usual]

    def networks(self) -> list[str]:
        return sorted(row["Name"] for row in self.own_networks())

    def listening_ports(self) -> dict[int, str]:
        """Who listens at each port of its address, whatever Docker says of it."""
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.name}", "ss", "-Hltnp"],
            check=True,
            capture_output=True,
            text=True,
        )
        lines = [line.split() for line in done.stdout.splitlines()]
        return {
            int(words[3].rpartition(":")[2]): " ".join(words[5:])
            for words in lines
            if words[3].startswith(self.address)
        }


def _next(image: str) -> str:
    return f"{image}{NEXT}"
