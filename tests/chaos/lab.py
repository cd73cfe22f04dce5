"""The lab: two Docker Engines, a database, two web and two worker processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.daemon import NEXT, Daemon
from tests.chaos.databases import database
from tests.ports import free_port
from tests.system.site import PASSWORD, ROOT, wait_for, wait_until_stopped

LEASE_S = 5
DISK_MB = 24 * 1024
"""Of the second Docker Engine; a file that is as large as what is written to it."""
OFFERINGS: list[dict[str, Any]] = yaml.safe_load((ROOT / "catalog.yml").read_text())[
    "offerings"
]
ENGINES = {row["engine"]: row for row in OFFERINGS}
SET_UP = """
import json, os
from instances.models import DockerHost, ServicePlan
wanted = json.loads(os.environ["LAB"])
first = DockerHost.objects.get()
first.port_min, first.port_max = 20000, 20199
first.save()
for host in wanted["hosts"]:
    DockerHost.objects.create(
        memory_mb=first.memory_mb, port_min=20000, port_max=20199, **host
    )
for plan in ServicePlan.objects.all():
    ServicePlan.objects.create(
        pk=plan.pk[:-1] + "9", offering=plan.offering, name="next", active=True,
        description="Another image", image=plan.image + wanted["next"],
        memory_mb=plan.memory_mb, cpus=plan.cpus, pids=plan.pids,
        connections=plan.connections, standby=0,
    )
ServicePlan.objects.update(
    standby=0, final_backup_days=0, backup_on_upgrade=False, backup_by_developer=True
)
for engine, number in wanted["standbys"].items():
    ServicePlan.objects.filter(offering__engine=engine, name="free").update(
        standby=number
    )
"""


class Process:
    """A process of the product, with all that it forks; started again after a kill."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.port = 0
        """Where a web process listens."""
        self._command, self._environment = command, environment
        self._running: subprocess.Popen[bytes] | None = None
        self.busy = threading.Lock()
        """Held by whoever does something to it."""

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, *self._command],
                cwd=ROOT,
                env={**self._environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._running is not None
        self._running.wait(30)

    def restart(self, pause_s: float = 0.5, **environment: str) -> None:
        self.kill()
        time.sleep(pause_s)
        self.start(**environment)

    def terminate(self) -> None:
        """As a deploy does."""
        assert self._running is not None
        self._running.terminate()
        try:
            self._running.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
        self.start()

    def freeze(self, seconds: float) -> None:
        self._signal(signal.SIGSTOP)
        assert self._running is not None
        wait_until_stopped(self._running)
        time.sleep(seconds)
        self._signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Of the first process, and of the group of them all; 0 before the start."""
        return self._running.pid if self._running is not None else 0

    @property
    def has_died(self) -> bool:
        return self._running is not None and self._running.poll() is not None

    def end(self) -> None:
        if self._running is not None:
            self._signal(signal.SIGCONT)
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._running is not None
        try:
            os.killpg(self._running.pid, number)
        except ProcessLookupError:
            pass  # it has ended by itself


class Site:
    """One installation in the lab; several may follow each other on the same hosts."""

    def __init__(
        self,
        daemons: list[Daemon],
        *,
        kind: str = "sqlite",
        mutant: str = "",
        standbys: dict[str, int] | None = None,
        web: int = 2,
        workers: int = 2,
        template: Path | None = None,
    ) -> None:
        """A template is SQLite's file of an earlier site on the same hosts."""
        self.daemons, self._standbys = daemons, standbys or {}
        self._template = template
        self.folder = Path(tempfile.mkdtemp(prefix="brokersite-chaos-"))
        self.database = database(kind, self.folder)
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "SECRET_KEY": "system-" + "0123456789" * 5,
            "ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LWtleS1mb3ItdGVzdHMtb25seSE=",
            "STATE_DIRECTORY": str(self.folder),
            "TMPDIR": str(self.folder),
            "DOCKER_HOST": daemons[0].proxy.url,
            "DATABASE_HOST": daemons[0].address,
            "OPERATION_LEASE_S": str(LEASE_S),
            "BROKER_USERNAME": "platform",
            "BROKER_PASSWORD": PASSWORD,
            "CHAOS_MUTANT": mutant,
            **self.database.environment,
        }
        self.web = [self._web(number) for number in range(1, web + 1)]
        self.workers = [
            self._process(f"worker{number}", ["manage.py", "worker"])
            for number in range(1, workers + 1)
        ]
        self._stack = ExitStack()

    def _process(self, name: str, command: list[str], **more: str) -> Process:
        return Process(name, command, {**self.environment, **more}, self.folder)

    def _web(self, number: int) -> Process:
        port = free_port()
        command = [
            *("-m", "gunicorn", "brokersite.wsgi", "--worker-class", "gthread"),
            *("--bind", f"127.0.0.1:{port}", "--threads", "8", "--workers", "1"),
            *("--graceful-timeout", "8", "--no-control-socket"),
            *("--config", "python:brokersite.serving"),
        ]
        process = self._process(f"web{number}", command, PORT=str(port))
        process.port = port
        return process

    @property
    def ports(self) -> list[int]:
        return [process.port for process in self.web]

    @property
    def processes(self) -> list[Process]:
        return [*self.web, *self.workers]

    def __enter__(self) -> "Site":
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._stack.enter_context(self.database)
            self._fill()
            for process in self.processes:
                self._stack.callback(process.end)
                process.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for daemon in self.daemons:
            daemon.proxy.clear()
        self._stack.close()
        for daemon in self.daemons:
            _wipe(daemon)

    def _fill(self) -> None:
        file = self.folder / "brokersite.sqlite3"
        if self._template is not None and self._template.exists():
            shutil.copy(self._template, file)
            return
        self.manage("bootstrap")
        self.manage("shell", "--no-imports", "-c", SET_UP, LAB=self._set_up())
        if self._template is not None:
            shutil.copy(file, self._template)

    def _set_up(self) -> str:
        hosts = [
            {
                "name": f"host{number}",
                "url": daemon.proxy.url,
                "database_host": daemon.address,
                "publish_address": daemon.address,
            }
            for number, daemon in enumerate(self.daemons[1:], start=2)
        ]
        return json.dumps({"hosts": hosts, "next": NEXT, "standbys": self._standbys})

    def manage(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, sql: str) -> list[Any]:
        return self.database.rows(sql)

    def logs(self) -> dict[str, str]:
        return {
            process.name: process.log.read_text(errors="replace")
            for process in self.processes
            if process.log.exists()
        }


def _wipe(daemon: Daemon) -> None:
    """Nothing of one site is there for the next one."""
    for container in daemon.containers():
        daemon.api.remove_container(container["Id"], v=True, force=True)
    for image in daemon.images():
        daemon.api.remove_image(image["Id"], force=True)
    for network in daemon.own_networks():
        daemon.api.remove_network(network["Id"])


class Lab:
    """The hosts alone; use as a context manager."""

    def __init__(self, engines: list[str]) -> None:
        images = [ENGINES[engine]["plans"][0]["image"] for engine in engines]
        second = Daemon(images, has_live_restore=True, disk_mb=DISK_MB)
        self.daemons = [Daemon(images), second]
        self._stack = ExitStack()

    def __enter__(self) -> "Lab":
        try:
            for daemon in self.daemons:
                # Its own __exit__ is due even if it has not come up.
                self._stack.push(daemon.__exit__)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda daemon: daemon.__enter__(), self.daemons))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()


def wait_until_served(ask: Any) -> None:
    wait_for(ask, "the web processes to answer", limit_s=60)
