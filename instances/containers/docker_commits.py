"""Images made of containers: what backups are."""

import json
from collections.abc import Mapping
from typing import Any

import docker
from docker.errors import ImageNotFound, NotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.base import (
    BACKUP_LABEL,
    BROKER_LABEL,
    CONTAINER_LABEL,
)
from instances.containers.docker_api import lend
from instances.containers.docker_disk import is_full

COMMIT_LIMIT_S = 3600
"""4.3 s for each GB, and the machine may be busy (DOCKER-LIMITS 5)."""


class DockerCommits:
    """The part of a Docker Engine that makes, finds and removes backup images."""

    _access: Access
    _timeout_s: int

    def commit(
        self,
        name: str,
        reference: str,
        *,
        labels: Mapping[str, str],
        pauses: bool = True,
    ) -> str:
        repository, _, tag = reference.rpartition(":")
        # A label of the container can be blanked in the image, not removed (F134).
        said = {CONTAINER_LABEL: "", **labels}
        changes = [f'LABEL {key}="{value}"' for key, value in said.items()]
        try:
            with lend(self._access, timeout_s=COMMIT_LIMIT_S) as api:
                changes += _start_of(api, name)
                made = api.commit(name, repository, tag, pause=pauses, changes=changes)
        except errors.HostRefused as error:
            if isinstance(error.__cause__, NotFound):
                raise errors.ContainerFailed(detail=f"{name} does not exist") from None
            if is_full(error):
                raise errors.DiskFull(detail=error.detail) from error
            raise
        return str(made["Id"])

    def resume(self, name: str) -> None:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                if api.inspect_container(name)["State"]["Paused"]:
                    api.unpause(name)
            except NotFound:
                return

    def remove_image(self, reference: str) -> None:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                api.remove_image(reference)
            except ImageNotFound:
                return

    def list_backups(self, *, broker_id: str) -> dict[str, str]:
        wanted = [f"{BROKER_LABEL}={broker_id}", BACKUP_LABEL]
        with lend(self._access, timeout_s=self._timeout_s) as api:
            rows = api.images(filters={"label": wanted})
        return {
            reference: row["Labels"][BACKUP_LABEL]
            for row in rows
            for reference in _references(row)
        }


def _start_of(api: docker.APIClient, name: str) -> list[str]:
    """What has an image start as the container's own does, which started otherwise."""
    found = api.inspect_container(name)
    own = api.inspect_image(found["Image"])["Config"]  # type: ignore[no-untyped-call]
    if found["Config"].get("Entrypoint") == own.get("Entrypoint"):
        return []
    return [
        f"ENTRYPOINT {json.dumps(own.get('Entrypoint') or [])}",
        f"CMD {json.dumps(own.get('Cmd') or [])}",
    ]


def _references(row: Mapping[str, Any]) -> list[str]:
    """Its tags; an untagged one, which an interrupted commit leaves, goes by its id."""
    tags = [tag for tag in row["RepoTags"] or [] if tag != "<none>:<none>"]
    return tags or [row["Id"]]
