"""Removal of containers, one or all with a label."""

from functools import partial

import docker
from docker.errors import APIError

from bench.clients import at_once
from instances.containers import BACKUP_LABEL

SIDE_BY_SIDE = 4
GONE, GOING = 404, 409


def remove_all(label: str) -> None:
    api = docker.from_env().api
    found = api.containers(all=True, filters={"label": label})
    at_once([partial(_remove, row["Id"]) for row in found], threads=SIDE_BY_SIDE)


def remove_images(label: str) -> None:
    """Those that were made of containers with the label; the containers are gone."""
    api = docker.from_env().api
    for row in api.images(filters={"label": [label, BACKUP_LABEL]}):
        api.remove_image(row["Id"], force=True)


def remove(api: docker.APIClient, container: str) -> None:
    """Return too if it is gone, or somebody else is removing it."""
    try:
        api.remove_container(container, v=True, force=True)
    except APIError as error:
        if error.status_code not in (GONE, GOING):
            raise


def _remove(container: str) -> None:
    # A client of its own: docker-py's is not safe to share between threads.
    remove(docker.from_env().api, container)
