"""A dockerd of its own in a network namespace, to be killed without harm to others."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import docker
import requests

from tests.system.site import wait_for

IMAGE = "brokersite/mariadb:10.11.2"


class PrivateDocker:
    """Needs root. Published ports are reached at `address`."""

    name = "brokersite-t1"
    address = "10.199.71.2"

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="brokersite-dockerd-", dir="/var/tmp"))
        self.url = f"unix://{self.root}/docker.sock"
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PrivateDocker":
        self._delete_namespace()
        _run("ip", "netns", "add", self.name)
        inside, outside = "bst1in", "bst1out"
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside)
        _run("ip", "link", "set", inside, "netns", self.name)
        _run("ip", "addr", "add", "10.199.71.1/24", "dev", outside)
        _run("ip", "link", "set", outside, "up")
        within = ("ip", "-n", self.name)
        _run(*within, "addr", "add", f"{self.address}/24", "dev", inside)
        _run(*within, "link", "set", inside, "up")
        _run(*within, "link", "set", "lo", "up")
        self.start()
        self._copy_image()
        return self

    def __exit__(self, *_: Any) -> None:
        for container in self.api.containers(all=True):
            self.api.remove_container(container["Id"], v=True, force=True)
        self._end(signal.SIGTERM)
        # The shims of the containers that were running when it was killed.
        subprocess.run(["pkill", "-KILL", "-f", str(self.root)], capture_output=True)
        self._delete_namespace()
        subprocess.run(
            ["umount", "--recursive", str(self.root / "data")], capture_output=True
        )
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def api(self) -> docker.APIClient:
        return docker.APIClient(self.url, version="1.41")

    def start(self) -> None:
        # nsenter, not `ip netns exec`, which would hide the cgroup mounts.
        with (self.root / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self.name}", "dockerd"),
                    *("--host", self.url, "--data-root", str(self.root / "data")),
                    *("--exec-root", str(self.root / "exec")),
                    *("--pidfile", str(self.root / "pid")),
                    *("--cgroup-parent", f"/{self.name}"),
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, f"dockerd to answer: see {self.root}/log")

    def kill(self) -> None:
        """What a crash does; the containers are found dead at the next start."""
        self._end(signal.SIGKILL)
        # containerd dies with it. Where PID 1 reaps no orphans, both stay zombies, and
        # the next dockerd would take the recorded ids for running processes.
        (self.root / "pid").unlink(missing_ok=True)
        (self.root / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def _end(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        # nsenter has become dockerd: it forks nothing.
        self._daemon.send_signal(number)
        self._daemon.wait(30)

    def _answers(self) -> bool:
        try:
            return bool(self.api.ping())
        except (requests.RequestException, docker.errors.DockerException):
            return False

    def _copy_image(self) -> None:
        source = docker.APIClient("unix:///var/run/docker.sock", version="1.41")
        for _ in self.api.load_image(source.get_image(IMAGE)):
            pass

    def _delete_namespace(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        subprocess.run(["ip", "link", "delete", "bst1out"], capture_output=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
