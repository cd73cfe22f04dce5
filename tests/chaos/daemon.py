"""A Docker Engine of the lab: in a network namespace of its own, behind a proxy."""

import subprocess
from collections.abc import Iterable
from typing import Any

import docker

from tests.chaos.proxy import Proxy
from tests.system.private_docker import PrivateDocker

NEXT = "-next"
"""A second name of each image: what an update changes to."""


class Daemon(PrivateDocker):
    """Its own socket is the checker's, and the proxy's is the broker's."""

    start_limit_s = 120.0

    def __init__(self, images: Iterable[str]) -> None:
        super().__init__()
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
