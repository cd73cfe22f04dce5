"""A brokersite of its own for a measurement, as `make run` would start it."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import docker
from cryptography.fernet import Fernet

from instances.management.platform import Platform, PlatformError

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT, LAST_PORT = 31500, 31999
"""Away from the ports of a broker that runs beside the bench."""
START_LIMIT_S = 30.0
STOP_LIMIT_S = 12.0
POLL_S = 0.05


class Site:
    """Web and worker processes over an empty SQLite, as a context."""

    def __init__(self) -> None:
        self._port = _free_port()
        self._password = secrets.token_urlsafe(24)
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self._folder = Path(folder)
            self._environment = self._make_environment()
            self._manage("bootstrap")
            # Registered first, so it runs once the processes have stopped.
            stack.callback(_remove_containers, self._broker_id())
            self._manage("shell", "-c", _use_ports())
            self._start(stack, "gunicorn", *_gunicorn(self._port))
            self._start(stack, "manage.py", "manage.py", "worker")
            self._wait_until_it_answers()
            self._cleaning = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleaning.close()

    def platform(self) -> Platform:
        """A platform that polls each 50 ms."""
        url = f"http://127.0.0.1:{self._port}"
        return Platform(url, "broker", self._password, poll_s=POLL_S)

    def _make_environment(self) -> dict[str, str]:
        # Not the caller's VCAP_SERVICES or DATABASE_PATH: only where Docker is.
        kept = ("PATH", "HOME", "LANG", "DOCKER_HOST", "DOCKER_PORT")
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "STATE_DIRECTORY": str(self._folder),
            "PORT": str(self._port),
            "ADMIN_PASSWORD": secrets.token_urlsafe(18),
            "BROKER_PASSWORD": self._password,
        }

    def _manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def _broker_id(self) -> str:
        code = "print(Broker.this().broker_id)"
        return self._manage("shell", "-v0", "-c", code).strip()

    def _start(self, stack: ExitStack, name: str, *arguments: str) -> None:
        log = stack.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=log,
            stderr=log,
            # A Ctrl-C is for the bench, which ends its processes in order.
            start_new_session=True,
        )
        stack.callback(_stop, process)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.platform().catalog()
                return
            except PlatformError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)


def _gunicorn(port: int) -> list[str]:
    options = "-k gthread --workers 2 --threads 4 --keep-alive 75 --no-control-socket"
    bind = ["--bind", f"127.0.0.1:{port}"]
    return ["-m", "gunicorn", "brokersite.wsgi", *options.split(), *bind]


def _use_ports() -> str:
    limits = f"port_min={FIRST_PORT}, port_max={LAST_PORT}"
    # Standbys are a bench of their own.
    return f"DockerHost.objects.update({limits}); ServicePlan.objects.update(standby=0)"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove_containers(broker_id: str) -> None:
    """What an interrupted round has left; each carries the id of this site."""
    client = docker.from_env()
    label = f"brokersite.broker={broker_id}"
    for found in client.api.containers(all=True, filters={"label": label}):
        client.api.remove_container(found["Id"], v=True, force=True)
