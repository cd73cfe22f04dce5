"""Evidence: what the hosts have, what the rows say, and who is let in."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from instances.containers import BACKUP_LABEL
from instances.encryption import decrypt
from tests.chaos.lab import Site

UNFINISHED = ("queued", "running")
RUNNING = ("in_use", "standby")
"""States of containers that have a port."""
ROWS = {
    # First: whoever has a port by then has its row by the time that those are read.
    "leases": "number, host_id, container_id FROM instances_portlease",
    "instances": (
        "guid, id, state, container_id, live_key FROM instances_serviceinstance"
    ),
    "containers": (
        "id, host_id, state, engine, admin_secret, succeeds_id, plan_id"
        " FROM instances_container"
    ),
    "operations": (
        "id, kind, state, instance_id, binding_id, attempts, owner, error, detail,"
        " created_at, finished_at FROM instances_operation"
    ),
    "bindings": "id, guid, instance_id, state FROM instances_servicebinding",
    "backups": "id, operation_id, host_id, state, problem FROM instances_backup",
    "findings": "id, host_id, kind, name FROM instances_finding",
    "plans": "id, name, standby FROM instances_serviceplan",
    "hosts": "id, database_host, problem FROM instances_dockerhost",
}
KEYS = {
    *("id", "container_id", "succeeds_id", "instance_id", "binding_id"),
    "operation_id",
}
"""Columns that hold UUIDs, each database in its own way."""
NUMBERED = ("plans", "hosts", "findings")
"""Tables whose ids are none."""
Row = dict[str, Any]


def uuid_of(value: object) -> str:
    """As hexadecimal digits, however the database holds it."""
    return uuid.UUID(str(value)).hex if value else ""


@dataclass
class Host:
    """One Docker Engine, as it says itself."""

    key: int
    name: str
    address: str
    containers: list[Row]
    images: list[Row]
    volumes: list[str]
    networks: list[str]
    listening: dict[int, str]
    """Port to the process."""


@dataclass
class Evidence:
    at: float
    rows: dict[str, list[Row]]
    hosts: list[Host] = field(default_factory=list)

    @property
    def unfinished(self) -> list[Row]:
        return [row for row in self.rows["operations"] if row["state"] in UNFINISHED]

    def instance(self, guid: str) -> Row | None:
        """The live row of that id."""
        live = (row for row in self.rows["instances"] if row["live_key"])
        return next((row for row in live if row["guid"] == guid), None)

    def container(self, key: str) -> Row | None:
        return next((r for r in self.rows["containers"] if r["id"] == key), None)

    def ports(self) -> dict[str, int]:
        """The leased port of each container."""
        leases = self.rows["leases"]
        return {
            row["container_id"]: row["number"] for row in leases if row["container_id"]
        }

    def admin(self, container: Row) -> dict[str, Any] | None:
        """What the broker itself logs in with; None if the container has no port."""
        port = self.ports().get(container["id"])
        host = next(h for h in self.rows["hosts"] if h["id"] == container["host_id"])
        if port is None or not container["admin_secret"]:
            return None
        scheme, name = _LOGINS[container["engine"]]
        return {
            "uri": f"{scheme}://",
            "hostname": host["database_host"],
            "port": port,
            "username": "brokersite",
            "password": decrypt(container["admin_secret"]),
            "name": name,
        }

    def kept_ports(self, host: int) -> set[int]:
        """What the broker says of itself that something is there (F132)."""
        rows = self.rows["findings"]
        return {
            int(row["name"].removeprefix("port "))
            for row in rows
            if row["host_id"] == host and row["kind"] == "kept_port"
        }


_LOGINS = {
    "redis": ("redis", "0"),
    "mariadb": ("mysql", "mysql"),
    "postgres": ("postgres", "postgres"),
}


def rows(site: Site) -> dict[str, list[Row]]:
    found = {}
    for name, what in ROWS.items():
        columns = [word.strip() for word in what.split(" FROM ")[0].split(",")]
        found[name] = [
            dict(zip(columns, values, strict=True))
            for values in site.rows(f"SELECT {what}")
        ]
        for row in found[name]:
            for column in KEYS & set(row) if name not in NUMBERED else ():
                row[column] = uuid_of(row[column])
    return found


def gather(site: Site) -> Evidence:
    """Rows first: what is found in Docker afterwards has had its row before."""
    evidence = Evidence(time.time(), rows(site))
    keys = {row["database_host"]: row["id"] for row in evidence.rows["hosts"]}
    for daemon in site.daemons:
        evidence.hosts.append(
            Host(
                key=keys[daemon.address],
                name=daemon.name,
                address=daemon.address,
                containers=daemon.containers(),
                images=daemon.images(),
                volumes=daemon.volumes(),
                networks=daemon.networks(),
                listening=daemon.listening_ports(),
            )
        )
    return evidence


def name_of(container: Row) -> str:
    return str((container["Names"] or ["/?"])[0]).lstrip("/")


def backup_of(image: Row) -> str:
    """The id of the backup that an image says it is of; empty: none."""
    return str((image["Labels"] or {}).get(BACKUP_LABEL, ""))
