"""The containers of a Docker Engine as it sees them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import NotFound

from instances.containers.access import Access
from instances.containers.base import BROKER_LABEL, ContainerStatus, Limits
from instances.containers.docker_api import lend

BILLION = 1_000_000_000


class DockerStatuses:
    """The part of a Docker Engine that only looks at containers."""

    _access: Access
    _timeout_s: int

    def find(self, name: str) -> ContainerStatus | None:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            found = inspect(api, name)
        if found is None:
            return None
        state = found["State"]
        return ContainerStatus(
            name=found["Name"].lstrip("/"),
            state=state["Status"],
            image=found["Config"]["Image"],
            labels=found["Config"]["Labels"] or {},
            image_id=found["Image"],
            exit_code=state["ExitCode"],
            out_of_memory=state["OOMKilled"],
            started_at=moment(state["StartedAt"]),
            mounts=_mounts(found),
            ports=_bound(found),
            created_at=moment(found["Created"]),
            limits=_limits(found["HostConfig"]),
        )

    def list(self, *, broker_id: str) -> list[ContainerStatus]:
        # Not docker-py's containers.list(): it inspects each one, and a wedged
        # container hangs the inspect (FAILURES F46).
        with lend(self._access, timeout_s=self._timeout_s) as api:
            rows = api.containers(all=True, filters=_of(broker_id))
        return [
            ContainerStatus(
                name=row["Names"][0].lstrip("/"),
                state=row["State"],
                image=row["Image"],
                labels=row["Labels"] or {},
                image_id=row["ImageID"],
                ports=_published(row),
                created_at=datetime.fromtimestamp(row["Created"], UTC),
            )
            for row in rows
            if row["Names"]
        ]

    def leftovers(self, *, broker_id: str) -> tuple[str, ...]:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            volumes = api.volumes(filters=_of(broker_id))["Volumes"] or []
            networks = api.networks(filters=_of(broker_id))
        return (
            *(f"volume {row['Name']}" for row in volumes),
            *(f"network {row['Name']}" for row in networks),
        )

    def sizes(self, *, broker_id: str) -> dict[str, int]:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            rows = api.containers(all=True, size=True, filters=_of(broker_id))
        # Docker leaves out a size of nothing.
        return {
            row["Names"][0].lstrip("/"): row.get("SizeRw", 0)
            for row in rows
            if row["Names"]
        }


def inspect(api: docker.APIClient, name: str) -> Mapping[str, Any] | None:
    try:
        return api.inspect_container(name)  # type: ignore[no-any-return]
    except NotFound:
        return None


def moment(text: str) -> datetime | None:
    """Docker's nanosecond time; its zero is year 1."""
    at = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    return at if at.year > 1 else None


def _of(broker_id: str) -> dict[str, str]:
    return {"label": f"{BROKER_LABEL}={broker_id}"}


def _mounts(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What a commit leaves out: volumes, binds and tmpfs (DOCKER-LIMITS 6)."""
    tmpfs = found["HostConfig"].get("Tmpfs") or {}
    return (*(row["Destination"] for row in found["Mounts"]), *tmpfs)


def _published(row: Mapping[str, Any]) -> tuple[int, ...]:
    ports = {port["PublicPort"] for port in row["Ports"] or () if "PublicPort" in port}
    return tuple(sorted(ports))


def _bound(found: Mapping[str, Any]) -> tuple[int, ...]:
    """As it was created: inspect shows the former ports of a dead one (F40)."""
    bindings = (found["HostConfig"]["PortBindings"] or {}).values()
    ports = {int(entry["HostPort"] or 0) for entries in bindings for entry in entries}
    return tuple(sorted(ports))


def _limits(config: Mapping[str, Any]) -> Limits:
    return Limits(
        memory_mb=(config.get("Memory") or 0) // 2**20,
        cpus=(config.get("NanoCpus") or 0) / BILLION,
        pids=config.get("PidsLimit") or 0,
        restarts=config["RestartPolicy"]["Name"] == "always",
    )
