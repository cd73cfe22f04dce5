"""The floor under a provision: the bare Docker calls for the same database."""

import secrets
import threading
import time
import uuid
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Self

import docker
from docker.types import LogConfig

from bench.engines import DATABASE, ENGINES, HOST, Server
from bench.plans import Plan
from bench.processes import listens
from bench.removal import remove, remove_all
from instances.engines import get_engine

PORTS = range(31000, 31500)
READY_LIMIT_S = 60.0
POLL_S = 0.01
LABEL = "brokersite.bench"


@dataclass(frozen=True)
class Database(Server):
    container: str
    user: str
    password: str


class BareDocker:
    """Databases without a broker; on leaving the context none is left."""

    def __init__(self) -> None:
        self._mark = str(uuid.uuid4())
        self._ports = cycle(PORTS)
        self._choosing = threading.Lock()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        remove_all(f"{LABEL}={self._mark}")

    @property
    def _api(self) -> docker.APIClient:
        """One for each thread: docker-py's client is not safe to share."""
        if not hasattr(self._local, "api"):
            self._local.api = docker.from_env().api
        return self._local.api

    def provision(self, plan: Plan) -> Database:
        """From create to the first query of a user, as one would write it by hand."""
        port, secret = self._choose_port(), secrets.token_urlsafe(24)
        name = f"brokersite-bench-{port}-{secrets.token_hex(4)}"
        arguments = self._arguments(plan, port, secret)
        self._api.create_container(name=name, **arguments)
        self._api.start(name)
        database = Database(
            port, secret, name, f"u{secrets.token_hex(8)}", secrets.token_urlsafe(24)
        )
        _set_up(plan, database)
        login = {"username": database.user, "database": DATABASE}
        ENGINES[plan.engine].query(
            {"port": port, "password": database.password, **login}
        )
        return database

    def remove(self, container: str) -> None:
        remove(self._api, container)

    def _choose_port(self) -> int:
        with self._choosing:
            return next(port for port in self._ports if not listens(port))

    def _arguments(self, plan: Plan, port: int, secret: str) -> dict[str, Any]:
        """The limits and the network that the broker gives (containers/docker.py)."""
        engine, limit = get_engine(plan.engine), f"{plan.memory_mb}m"
        return {
            "image": plan.image,
            "environment": engine.environment(secret),
            "labels": {LABEL: self._mark},
            "ports": [engine.port],
            "host_config": self._api.create_host_config(
                port_bindings={engine.port: (HOST, port)},
                network_mode="brokersite",
                restart_policy={"Name": "always"},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=limit,
                memswap_limit=limit,
                nano_cpus=int(plan.cpus * 1_000_000_000),
                pids_limit=plan.pids,
                log_config=LogConfig(
                    type="json-file", config={"max-size": "5m", "max-file": "2"}
                ),
            ),
        }


def _set_up(plan: Plan, database: Database) -> None:
    """Wait for the first login; create the database and a user in that session."""
    engine = ENGINES[plan.engine]
    deadline = time.monotonic() + READY_LIMIT_S
    while True:
        try:
            with engine.session(database) as session:
                engine.create_database(session)
                return engine.create_user(session, database.user, database.password)
        except engine.unreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)
