"""A site of its own: temporary state, web and worker as processes, an HTTP client."""

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import docker
import pymysql

from instances.containers import BACKUP_LABEL, BROKER_LABEL
from tests.ports import SLOT, SLOTS, free_port

ROOT = Path(__file__).resolve().parents[2]
OFFERING = "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e01"
PLAN = "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e11"
IDS = {"service_id": OFFERING, "plan_id": PLAN}
NUMBERS = {"mariadb": 1, "postgres": 2, "redis": 3}
"""The offerings of catalog.yml are numbered, and their plans."""
LEASE_S = 2
T = TypeVar("T")
PASSWORD = "a-login-for-tests-0123456789"


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body


class Site:
    """Use as a context manager: whatever it made in Docker is gone afterwards."""

    _ranges = itertools.cycle(range(21000 + SLOT * 40, 29000, SLOTS * 40))

    def __init__(
        self,
        *,
        docker_url: str = "unix:///var/run/docker.sock",
        database_host: str = "127.0.0.1",
        web_workers: int = 2,
        environment: Mapping[str, str] | None = None,
        engine: str = "mariadb",
    ) -> None:
        """The checker looks at docker_url; the environment may name another way."""
        number = NUMBERS[engine]
        self.ids = {
            "service_id": f"{OFFERING[:-1]}{number}",
            "plan_id": f"{PLAN[:-2]}{number}1",
        }
        self.state = Path(tempfile.mkdtemp(prefix="brokersite-test-"))
        self.http_port = free_port()
        self.docker_url = docker_url
        self._web_workers = web_workers
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.system.settings",
            "SECRET_KEY": "system-" + "0123456789" * 5,
            "ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LWtleS1mb3ItdGVzdHMtb25seSE=",
            "STATE_DIRECTORY": str(self.state),
            # What a killed process leaves there goes as well.
            "TMPDIR": str(self.state),
            "DATABASE_PATH": str(self.state / "brokersite.sqlite3"),
            "PORT": str(self.http_port),
            "DOCKER_HOST": docker_url,
            "DATABASE_HOST": database_host,
            "OPERATION_LEASE_S": str(LEASE_S),
            "BROKER_USERNAME": "platform",
            "BROKER_PASSWORD": PASSWORD,
            **(environment or {}),
        }

    def __enter__(self) -> "Site":
        self.manage("bootstrap")
        # Tests that want standbys or backups ask for them.
        self.execute(
            "UPDATE instances_serviceplan"
            " SET standby = 0, final_backup_days = 0, backup_on_upgrade = 0"
        )
        first_port = next(self._ranges)
        self.execute(
            "UPDATE instances_dockerhost SET port_min = ?, port_max = ?",
            first_port,
            first_port + 39,
        )
        self.start_web()
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self._processes:
            if process.poll() is None:  # gunicorn's own workers would still write
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for container in self.containers():
            self.docker.remove_container(container["Id"], v=True, force=True)
        for image in self.backup_images():
            self.docker.remove_image(image["Id"], force=True)
        shutil.rmtree(self.state)

    # Processes

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a command; return what it prints. Raise AssertionError if it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.state / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def start_web(self) -> subprocess.Popen[bytes]:
        web = self._start(
            *("-m", "gunicorn", "brokersite.wsgi", "--worker-class", "gthread"),
            *("--bind", f"127.0.0.1:{self.http_port}", "--threads", "8"),
            *("--workers", str(self._web_workers)),
            *("--graceful-timeout", "8", "--no-control-socket"),
            *("--config", "python:brokersite.serving"),
        )
        wait_for(self._answers, "the web process to answer")
        return web

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("manage.py", "worker")

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/v2/catalog").status == 200
        except OSError:
            return False

    def arm(self, point: str, signal_name: str = "SIGKILL") -> None:
        """Let the next process that gets to the point receive the signal."""
        (self.state / "armed").write_text(f"{point}:{signal_name}")

    def log(self) -> str:
        return (self.state / "log").read_text()

    # The platform's side

    def request(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        suffix = f"?{urlencode(query)}" if query else ""
        login = b64encode(f"platform:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}{suffix}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {login}",
                "X-Broker-API-Version": "2.15",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return Answer(response.status, json.load(response))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.load(error))

    def provision(self, guid: str) -> Answer:
        body = self.ids | {"organization_guid": "org", "space_guid": "space"}
        path = f"/v2/service_instances/{guid}"
        return self.request("PUT", path, body, accepts_incomplete="true")

    def last_operation(self, guid: str) -> Answer:
        return self.request("GET", f"/v2/service_instances/{guid}/last_operation")

    def bind(self, guid: str, binding: str = "b") -> Answer:
        path = f"/v2/service_instances/{guid}/service_bindings/{binding}"
        return self.request("PUT", path, self.ids)

    def unbind(self, guid: str, binding: str = "b") -> Answer:
        path = f"/v2/service_instances/{guid}/service_bindings/{binding}"
        return self.request("DELETE", path, **self.ids)

    def deprovision(self, guid: str) -> Answer:
        path = f"/v2/service_instances/{guid}"
        return self.request("DELETE", path, accepts_incomplete="true", **self.ids)

    def wait_until_finished(self, guid: str, *, limit_s: float = 60) -> str:
        """Poll as the platform does; return the state it ends in."""

        def state() -> str:
            found = self.last_operation(guid).body["state"]
            return "" if found == "in progress" else found

        return wait_for(state, f"the operation of {guid} to end", limit_s=limit_s)

    def provisioned(self, guid: str) -> None:
        assert self.provision(guid).status == 202
        assert self.wait_until_finished(guid) == "succeeded", self.log()

    # What a checker sees

    @property
    def docker(self) -> docker.APIClient:
        return docker.APIClient(self.docker_url, version="1.41")

    def containers(self) -> list[Any]:
        """What Docker has with this broker's label."""
        label = f"{BROKER_LABEL}={self.broker_id}"
        return list(self.docker.containers(all=True, filters={"label": label}))

    def backup_images(self) -> list[Any]:
        labels = [f"{BROKER_LABEL}={self.broker_id}", BACKUP_LABEL]
        return list(self.docker.images(filters={"label": labels}))

    @property
    def broker_id(self) -> str:
        rows = self.rows("SELECT broker_id FROM instances_broker")
        return str(uuid.UUID(rows[0][0]))

    def rows(self, sql: str, *values: Any) -> list[Any]:
        connection = sqlite3.connect(self.state / "brokersite.sqlite3", timeout=20)
        with connection:
            found = connection.execute(sql, values).fetchall()
        connection.close()
        return found

    execute = rows

    def leased_ports(self) -> list[int]:
        sql = "SELECT number FROM instances_portlease WHERE container_id IS NOT NULL"
        return [number for (number,) in self.rows(sql)]


def wait_until_stopped(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has got its SIGSTOP."""

    def is_stopped() -> bool:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        return stat.rpartition(") ")[2].startswith("T")

    wait_for(is_stopped, "the process to be stopped")


def connect(credentials: dict[str, Any]) -> pymysql.Connection:
    """Log in as an app would."""
    return pymysql.connect(
        host=credentials["hostname"],
        port=credentials["port"],
        user=credentials["username"],
        password=credentials["password"],
        database=credentials["name"],
        autocommit=True,
        connect_timeout=5,
        ssl_disabled=True,
    )


def can_log_in(credentials: dict[str, Any]) -> bool:
    """False only if the server refuses: an outage is an error, not a refusal."""
    try:
        connect(credentials).close()
    except pymysql.OperationalError as error:
        if error.args[0] in (1045, 1698, 4151):  # access denied, account locked
            return False
        raise
    return True


def wait_for(look: Callable[[], T], what: str, *, limit_s: float = 30) -> T:
    """Look until there is something. Raise AssertionError after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {limit_s} s for {what}"
        time.sleep(0.05)
