"""How much room Docker's own disk has: there is no call for it.

`docker info` knows it for some storage drivers only, not for overlay2. But df in any
container tells of the disk that its own layer is on.
"""

import re
import secrets
import time
from contextlib import suppress

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.docker_api import lend

PROBE_LABEL = "brokersite.probe"
LEFT_AFTER_S = 60
"""One that is so old was left by a worker that has died."""
COMMAND = ("df", "-P", "-k", "/")
_ROW = re.compile(r"^\S+ +\d+ +\d+ +(-?\d+) +\S+ +/$", re.M)


class DockerDisk:
    """The part of a Docker Engine that asks for the room on its disk."""

    _access: Access
    _timeout_s: int

    def free_bytes(self, image: str, *, broker_id: str) -> int | None:
        try:
            with lend(self._access, timeout_s=self._timeout_s) as api:
                _remove_left(api, broker_id)
                return self._asked(api, image, broker_id)
        except errors.HostRefused as error:
            if is_full(error):
                return 0
            raise

    def _asked(self, api: docker.APIClient, image: str, broker_id: str) -> int | None:
        name = f"brokersite-probe-{secrets.token_hex(6)}"
        try:
            _create(api, name, image, broker_id)
        except ImageNotFound:
            return None
        try:
            api.start(name)
            status = api.wait(name, timeout=self._timeout_s)
            said = bytes(api.logs(name, stdout=True, stderr=False))
        except APIError as error:
            if error.status_code != 400:
                raise
            return None  # no df in the image
        finally:
            _remove(api, name)
        found = _ROW.search(said.decode(errors="replace"))
        return int(found[1]) * 1024 if found and not status["StatusCode"] else None


def is_full(error: errors.HostRefused) -> bool:
    """Whether Docker's own disk was the reason."""
    return "no space left on device" in error.detail


def _create(api: docker.APIClient, name: str, image: str, broker_id: str) -> None:
    config = api.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        mem_limit="32m",
        pids_limit=8,
    )
    api.create_container(
        image,
        name=name,
        entrypoint=list(COMMAND),
        labels={PROBE_LABEL: broker_id},
        host_config=config,
    )


def _remove_left(api: docker.APIClient, broker_id: str) -> None:
    label = f"{PROBE_LABEL}={broker_id}"
    for row in api.containers(all=True, filters={"label": label}):
        if row["Created"] < time.time() - LEFT_AFTER_S:
            _remove(api, row["Id"])


def _remove(api: docker.APIClient, name: str) -> None:
    with suppress(NotFound):
        api.remove_container(name, v=True, force=True)
