"""Docker Engine as a container host."""

import re
import time
from contextlib import AbstractContextManager
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig

from instances import errors
from instances.containers.access import Access
from instances.containers.base import (
    CONTAINER_LABEL,
    ContainerSpec,
)
from instances.containers.docker_api import CHANGE_LIMIT_S, SHORT_S, lend
from instances.containers.docker_archives import DockerArchives
from instances.containers.docker_bridge import NETWORK, ensure_bridge
from instances.containers.docker_commits import DockerCommits
from instances.containers.docker_disk import DockerDisk
from instances.containers.docker_images import DockerImages
from instances.containers.docker_network import DockerDescriptions
from instances.containers.docker_statuses import DockerStatuses, inspect, moment
from instances.containers.docker_transfers import DockerTransfers
from instances.containers.docker_watching import DockerWatching

REMOVAL_LIMIT_S = 20.0
STOP_LIMIT_S = 10
RESTART_POLICY = {"Name": "always"}
LOG_OPTIONS = {"max-size": "5m", "max-file": "2"}

_PORT_TAKEN = re.compile(
    r"port is already allocated|address already in use|ports are not available", re.I
)
_NO_ADDRESS = re.compile(r"cannot assign requested address", re.I)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class DockerContainerHost(
    DockerArchives,
    DockerCommits,
    DockerDescriptions,
    DockerDisk,
    DockerTransfers,
    DockerWatching,
    DockerStatuses,
):
    """A Docker Engine behind unix://, tcp:// or ssh://."""

    def __init__(self, access: Access, *, timeout_s: int = SHORT_S) -> None:
        self._access = access
        self._timeout_s = timeout_s
        self.images = DockerImages(access, timeout_s=timeout_s)

    def create(self, spec: ContainerSpec) -> None:
        with self._changing() as api:
            ensure_bridge(api)
            try:
                api.create_container(**_create_arguments(api, spec))
            except ImageNotFound:
                raise errors.ImageMissing(
                    detail=f"image {spec.image} is not on {self._access}: "
                    "prestage it on the page of that Docker host"
                ) from None
            except APIError as error:
                if error.status_code != 409:
                    raise
                self._keep_or_replace(api, spec)

    def _keep_or_replace(self, api: docker.APIClient, spec: ContainerSpec) -> None:
        """A former try, or a lost answer, has left a container with this name."""
        found = inspect(api, spec.name)
        if found is None:
            raise errors.HostUnreachable(detail=f"{spec.name} came and went")
        labels = found["Config"]["Labels"] or {}
        if labels.get(CONTAINER_LABEL) != spec.labels.get(CONTAINER_LABEL):
            raise errors.ContainerFailed(
                detail=f"a container that is not ours has the name {spec.name}"
            )
        published = (found["HostConfig"]["PortBindings"] or {}).values()
        ports = {entry["HostPort"] for entries in published for entry in entries}
        wanted = {str(spec.publish_port)} if spec.publish_port else set()
        if ports != wanted:
            self.remove(spec.name)
            api.create_container(**_create_arguments(api, spec))

    def start(self, name: str) -> None:
        with self._changing() as api:
            try:
                api.start(name)
            except NotFound:
                raise errors.ContainerFailed(detail=f"{name} does not exist") from None
            except APIError as error:
                explanation = str(error.explanation)
                if _PORT_TAKEN.search(explanation):
                    raise errors.PortTaken(detail=explanation) from None
                if _NO_ADDRESS.search(explanation):
                    raise errors.ContainerFailed(
                        detail=f"the publish address is not this host's: {explanation}"
                    ) from None
                raise

    def restart(self, name: str) -> None:
        with self._changing() as api:
            try:
                api.restart(name, timeout=STOP_LIMIT_S)
            except NotFound:
                raise errors.ContainerFailed(detail=f"{name} does not exist") from None

    def stop(self, name: str, *, limit_s: int) -> None:
        # First: a daemon that restarts would else start it again.
        self._update(name, {"RestartPolicy": {"Name": "no"}})
        with lend(self._access, timeout_s=limit_s + CHANGE_LIMIT_S) as api:
            try:
                api.stop(name, timeout=limit_s)
            except NotFound:
                raise errors.ContainerFailed(detail=f"{name} does not exist") from None

    def limit(self, spec: ContainerSpec) -> None:
        limits = {
            "Memory": spec.memory_mb * 2**20,
            "MemorySwap": spec.memory_mb * 2**20,
            "NanoCpus": int(spec.cpus * 1_000_000_000),
            "PidsLimit": spec.pids,
        }
        self._update(spec.name, {**limits, "RestartPolicy": RESTART_POLICY})

    def _update(self, name: str, changes: dict[str, Any]) -> None:
        # The method of docker-py knows no pids_limit nor nano_cpus.
        with self._changing() as api:
            url = f"{api.base_url}/v{api.api_version}/containers/{name}/update"
            response = api.post(url, json=changes)
        if response.status_code == 404:
            raise errors.ContainerFailed(detail=f"{name} does not exist")
        if not response.ok:
            raise errors.HostRefused(detail=response.text)

    def remove(self, name: str) -> None:
        self._remove(name, even_started=True)

    def discard(self, name: str) -> bool:
        return self._remove(name, even_started=False)

    def _remove(self, name: str, *, even_started: bool) -> bool:
        """Whether it is gone."""
        deadline = time.monotonic() + REMOVAL_LIMIT_S
        with self._changing() as api:
            while (found := inspect(api, name)) is not None:
                if not even_started and moment(found["State"]["StartedAt"]):
                    return False
                if time.monotonic() > deadline:
                    raise errors.HostUnreachable(detail=f"{name} does not go away")
                try:
                    # Without force, Docker refuses what has been started meanwhile.
                    api.remove_container(name, v=True, force=even_started)
                except NotFound:
                    break
                except APIError as error:
                    # "removal … is already in progress": look again until it is gone.
                    if error.status_code != 409:
                        raise
                    time.sleep(0.1)
        return True

    def logs(self, name: str, *, lines: int) -> str:
        with self._api() as api:
            try:
                text = api.logs(name, tail=lines, stdout=True, stderr=True)
            except NotFound:
                return ""
        return _CONTROL.sub("", bytes(text).decode(errors="replace"))

    def _api(self) -> AbstractContextManager[docker.APIClient]:
        return lend(self._access, timeout_s=self._timeout_s)

    def _changing(self) -> AbstractContextManager[docker.APIClient]:
        return lend(self._access, timeout_s=max(self._timeout_s, CHANGE_LIMIT_S))


def _create_arguments(api: docker.APIClient, spec: ContainerSpec) -> dict[str, Any]:
    """The one place that says what a database container may do (SECURITY S9, S11)."""
    host_config = api.create_host_config(
        **_network(spec),
        restart_policy=RESTART_POLICY if spec.restarts else {"Name": "no"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=f"{spec.memory_mb}m",
        memswap_limit=f"{spec.memory_mb}m",
        nano_cpus=int(spec.cpus * 1_000_000_000),
        pids_limit=spec.pids,
        log_config=LogConfig(type="json-file", config=LOG_OPTIONS),
        pid_mode=f"container:{spec.beside}" if spec.beside else None,
    )
    return {
        "image": spec.image,
        "name": spec.name,
        "command": list(spec.command) or None,
        "entrypoint": list(spec.entrypoint) or None,
        "environment": dict(spec.environment),
        "labels": dict(spec.labels),
        "ports": [spec.port],
        "host_config": host_config,
    }


def _network(spec: ContainerSpec) -> dict[str, Any]:
    if spec.publish_port is None:
        return {"network_mode": "none"}
    published = {spec.port: (spec.publish_address, spec.publish_port)}
    return {"port_bindings": published, "network_mode": NETWORK}
