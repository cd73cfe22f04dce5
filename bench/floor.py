"""The floor under a provision: the bare Docker calls for the same database."""

import hashlib
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import pymysql

FIRST_PORT, LAST_PORT = 31000, 31499
ADMINISTRATOR = "brokersite"
READY_LIMIT_S = 60.0
POLL_S = 0.02


class Floor:
    """Databases with the image, limits and network of the catalog's plan."""

    def __init__(self, image: str, *, memory_mb: int, pids: int) -> None:
        self._api = docker.from_env().api
        self._image, self._memory_mb, self._pids = image, memory_mb, pids
        self._ports = iter(range(FIRST_PORT, LAST_PORT + 1))

    def measure(self) -> float:
        """Seconds from create to the first query of a user; then remove it all."""
        port = next(port for port in self._ports if _is_free(port))
        name, secret = f"brokersite-bench-{port}", secrets.token_urlsafe(24)
        arguments = self._arguments(name, port, secret)
        try:
            started_at = time.monotonic()
            self._api.create_container(**arguments)
            self._api.start(name)
            self._set_up(port, secret)
            with log_in(port, "app", secret, "app"):
                return time.monotonic() - started_at
        finally:
            self._remove(name)

    def _arguments(self, name: str, port: int, secret: str) -> dict[str, Any]:
        limit = f"{self._memory_mb}m"
        return {
            "image": self._image,
            "name": name,
            "environment": {"ADMIN_HASH": _verifier(secret)},
            "ports": [3306],
            "host_config": self._api.create_host_config(
                port_bindings={3306: ("127.0.0.1", port)},
                network_mode="brokersite",
                restart_policy={"Name": "always"},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=limit,
                memswap_limit=limit,
                nano_cpus=1_000_000_000,
                pids_limit=self._pids,
            ),
        }

    def _set_up(self, port: int, secret: str) -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            try:
                with log_in(port, ADMINISTRATOR, secret) as cursor:
                    cursor.execute("CREATE DATABASE app")
                    cursor.execute(f"CREATE USER app IDENTIFIED BY '{secret}'")
                    cursor.execute("GRANT ALL ON app.* TO app")
                    return
            except pymysql.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    def _remove(self, name: str) -> None:
        try:
            self._api.remove_container(name, v=True, force=True)
        except docker.errors.NotFound:
            pass


@contextmanager
def log_in(port: int, user: str, password: str, database: str = "") -> Iterator[Any]:
    """A session whose first query has been answered."""
    connection = pymysql.connect(
        host="127.0.0.1",
        port=port,
        user=user,
        password=password,
        database=database or None,
        connect_timeout=5,
        read_timeout=10,
        autocommit=True,
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        yield cursor


def _verifier(password: str) -> str:
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
