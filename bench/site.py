"""A brokersite of its own for a measurement, run as in production."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import docker
from cryptography.fernet import Fernet

from bench import plans, processes
from bench.clients import interrupted
from bench.plans import ROOT, Plan
from bench.removal import remove_all, remove_images
from instances.management.platform import (
    ANSWER_LIMIT_S,
    Instance,
    Platform,
    PlatformError,
)

FIRST_PORT, LAST_PORT = 31500, 31999
"""Away from the ports of a broker that runs beside the bench."""
START_LIMIT_S = 30.0
STANDBYS_LIMIT_S = 60.0
RUN_LIMIT_S = 300.0
POLL_S = 0.02
"""As fine as what it measures asks for, and no load beside it."""
IDLE_LIMIT_S = 60.0
"""The web process closes a connection that says nothing for 75 s."""
USERNAME = "broker"
ADMIN = {"username": "admin", "password": secrets.token_urlsafe(18)}
LOGINS = 16
"""From so many connections that each web process has hashed the password once."""


class KeptPlatform(Platform):
    """A platform whose requests share one connection; for one thread."""

    _connection: HTTPConnection | None = None
    _used_at = 0.0

    def _send(
        self, method: str, target: str, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        if interrupted.is_set():
            raise PlatformError("The bench has been interrupted.")
        is_idle = time.monotonic() - self._used_at > IDLE_LIMIT_S
        if self._connection is None or is_idle:
            parts = urlsplit(self.url)
            self._connection = HTTPConnection(
                parts.hostname or "", parts.port, timeout=ANSWER_LIMIT_S
            )
        payload = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, target, payload, self._headers)
            response = self._connection.getresponse()
            answer = response.status, response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise PlatformError(f"{method} {target}: {error!r}") from error
        self._used_at = time.monotonic()
        return answer


class Site:
    """Web and worker processes over an empty SQLite, as a context."""

    def __init__(self, *, standbys: int = 0, worker: bool = True) -> None:
        self._port = processes.free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.password = secrets.token_urlsafe(24)
        self._standbys = standbys
        self._has_worker = worker
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self._folder = Path(folder)
            self._environment = self._make_environment()
            self._prepare()
            # Registered first, so it runs once the processes have stopped.
            stack.callback(self._remove_containers)
            web = processes.gunicorn("brokersite.wsgi", self._port)
            self.web_pid = self._start(stack, *web)
            if self._has_worker:
                self._start(stack, "manage.py", "worker")
            self._wait_until_it_answers()
            for _ in range(LOGINS):
                self.platform().catalog()
            self._cleaning = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleaning.close()

    def platform(self, *, poll_s: float = POLL_S) -> KeptPlatform:
        """A platform for one thread."""
        return KeptPlatform(self.url, USERNAME, self.password, poll_s=poll_s)

    def provision(self, plan: Plan, *, cold: bool = True) -> Instance:
        """An instance that is ready."""
        plan_id = plan.cold_id if cold else plan.plan_id
        instance = Instance(self.platform(), plan.offering_id, plan_id, "bench")
        instance.wait_for(instance.provision())
        return instance

    def wait_for_standbys(self) -> None:
        """Until they are ready, and nothing is being started or removed."""
        sql = (
            "SELECT state, count(*) FROM instances_container"
            " WHERE state IN ('starting', 'standby', 'retiring') GROUP BY state"
        )
        number = self._standbys * len(plans.load())
        deadline = time.monotonic() + STANDBYS_LIMIT_S
        while self.execute(sql) != [("standby", number)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {number} standbys in {STANDBYS_LIMIT_S:.0f} s")
            time.sleep(POLL_S)

    def containers(self, image: str) -> list[str]:
        """Docker's ids of those that this site has of an image, not of its backups."""
        filters = {"label": self._label(), "ancestor": image}
        found = docker.from_env().api.containers(filters=filters)
        return [row["Id"] for row in found if row["Image"] == image]

    def _make_environment(self) -> dict[str, str]:
        # Not the caller's VCAP_SERVICES or DATABASE_PATH: only where Docker is.
        kept = ("PATH", "HOME", "LANG", "DOCKER_HOST", "DOCKER_PORT")
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "STATE_DIRECTORY": str(self._folder),
            "PORT": str(self._port),
            "ADMIN_PASSWORD": ADMIN["password"],
            "BROKER_USERNAME": USERNAME,
            "BROKER_PASSWORD": self.password,
        }

    def _prepare(self) -> None:
        self.manage("bootstrap")
        self.manage("collectstatic", "--noinput")
        catalog = self._folder / "catalog.yml"
        catalog.write_text(plans.catalog(standbys=self._standbys))
        self.manage("loadcatalog", str(catalog))
        sql = "UPDATE instances_dockerhost SET port_min = ?, port_max = ?"
        self.execute(sql, FIRST_PORT, LAST_PORT)

    def manage(self, *arguments: str) -> None:
        self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> None:
        """Python with the site's environment."""
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=RUN_LIMIT_S,
        )

    def _start(self, stack: ExitStack, *arguments: str) -> int:
        log = self._folder / "log"
        return processes.start(stack, log, self._environment, *arguments)

    def _label(self) -> str:
        ((found,),) = self.execute("SELECT broker_id FROM instances_broker")
        return f"brokersite.broker={uuid.UUID(found)}"

    def execute(self, sql: str, *values: Any) -> list[Any]:
        """On the site's rows: `manage.py shell` would be too slow to look with."""
        path = self._folder / "brokersite.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def _remove_containers(self) -> None:
        """What an interrupted round has left, the standbys, and backup images."""
        remove_all(self._label())
        remove_images(self._label())

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
