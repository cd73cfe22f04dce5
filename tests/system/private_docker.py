"""A dockerd of its own in a network namespace, to be killed without harm to others."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import docker
import requests

from tests.system.site import wait_for, wait_until_stopped

IMAGE = "brokersite/mariadb:10.11.2"


class PrivateDocker:
    """Needs root. Published ports are reached at `address`.

    Each has names and addresses of its own, so that several may run at once.
    """

    start_limit_s = 30.0
    _numbers = itertools.count()

    def __init__(self, *, disk_mb: int = 0) -> None:
        """With a disk of its own, if it is to be full one day."""
        number = (os.getpid() * 4 + next(self._numbers)) % 60000
        self.name = f"brokersite-t{number}"
        self._network = f"10.{192 + number // 16000}.{number // 64 % 250}"
        first = number % 64 * 4
        self._gateway = f"{self._network}.{first + 1}"
        self.address = f"{self._network}.{first + 2}"
        self._outside, inside = f"bst{number}out", f"bst{number}in"
        self._inside = inside
        self._disk_mb = disk_mb
        self.root = Path(tempfile.mkdtemp(prefix="brokersite-dockerd-", dir="/var/tmp"))
        self.url = f"unix://{self.root}/docker.sock"
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PrivateDocker":
        self._delete_namespace()
        _run("ip", "netns", "add", self.name)
        inside, outside = self._inside, self._outside
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside)
        _run("ip", "link", "set", inside, "netns", self.name)
        _run("ip", "addr", "add", f"{self._gateway}/30", "dev", outside)
        _run("ip", "link", "set", outside, "up")
        within = ("ip", "-n", self.name)
        _run(*within, "addr", "add", f"{self.address}/30", "dev", inside)
        _run(*within, "link", "set", inside, "up")
        _run(*within, "link", "set", "lo", "up")
        if self._disk_mb:
            self._mount_disk()
        self.start()
        self._copy_image()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._answers():
            for container in self.api.containers(all=True):
                self.api.remove_container(container["Id"], v=True, force=True)
        self._end(signal.SIGTERM)
        # The shims of the containers that were running when it was killed.
        subprocess.run(["pkill", "-KILL", "-f", str(self.root)], capture_output=True)
        self._delete_namespace()
        for name in ("data", "exec/netns/default"):
            subprocess.run(
                ["umount", "--recursive", str(self.root / name)], capture_output=True
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
                    *("nsenter", f"--net=/run/netns/{self.name}"),
                    *(*self.surroundings(), "dockerd"),
                    *("--host", self.url, "--data-root", str(self.root / "data")),
                    *("--exec-root", str(self.root / "exec")),
                    *("--pidfile", str(self.root / "pid")),
                    *("--cgroup-parent", f"/{self.name}"),
                    *self.options(),
                ],
                stdout=log,
                stderr=log,
            )
        what = f"dockerd to answer: see {self.root}/log"
        wait_for(self._answers, what, limit_s=self.start_limit_s)

    def surroundings(self) -> list[str]:
        """A command that becomes dockerd."""
        return []

    def options(self) -> list[str]:
        """More of them for dockerd."""
        return []

    def freeze(self) -> None:
        """It answers nobody, and its kernel accepts connections all the same (F34)."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)
        wait_until_stopped(self._daemon)

    def thaw(self) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def cut_off(self) -> None:
        """Nothing of it can be reached, its databases included."""
        _run("ip", "link", "set", self._outside, "down")

    def reconnect(self) -> None:
        _run("ip", "link", "set", self._outside, "up")

    def kill(self) -> None:
        """What a crash does; the containers are found dead at the next start."""
        self._end(signal.SIGKILL)
        # containerd dies with it. Where PID 1 reaps no orphans, both stay zombies, and
        # the next dockerd would take the recorded ids for running processes.
        (self.root / "pid").unlink(missing_ok=True)
        (self.root / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def lose_power(self) -> None:
        """All of it ends at once, containers too, and nothing can be reached."""
        rows = [self.api.inspect_container(row["Id"]) for row in self.api.containers()]
        self.cut_off()
        self.kill()
        for row in rows:
            os.kill(row["State"]["Pid"], signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._daemon is None:
            return  # it has never come so far
        # nsenter has become dockerd: it forks nothing.
        self._daemon.send_signal(number)
        self._daemon.wait(30)

    def _answers(self) -> bool:
        try:
            return bool(self.api.ping())
        except (requests.RequestException, docker.errors.DockerException):
            return False

    def _mount_disk(self) -> None:
        disk, data = self.root / "disk.img", self.root / "data"
        with disk.open("wb") as file:
            file.truncate(self._disk_mb * 2**20)
        data.mkdir()
        _run("mkfs.ext4", "-q", "-m", "0", str(disk))
        _run("mount", "-o", "loop", str(disk), str(data))

    def _copy_image(self) -> None:
        source = docker.APIClient("unix:///var/run/docker.sock", version="1.41")
        for _ in self.api.load_image(source.get_image(IMAGE)):
            pass

    def _delete_namespace(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        subprocess.run(["ip", "link", "delete", self._outside], capture_output=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
