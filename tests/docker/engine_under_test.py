"""The local Docker Engine, for tests that need a real one: never skipped."""

import itertools
import os
import uuid

import docker
import docker.errors
import requests
from django.conf import settings

from instances.containers import BROKER_LABEL

IMAGE = "brokersite/mariadb:10.11"
ADDRESS = "127.0.0.1"
BROKER_ID = f"test-{uuid.uuid4()}"
"""Label of all that this run makes: a run beside it is left alone."""
_ports = itertools.cycle(range(32000 + os.getpid() % 8 * 50, 32401))


def url() -> str:
    return str(settings.FIRST_DOCKER_HOST["url"])


def next_port() -> int:
    return next(_ports)


def client() -> docker.DockerClient:
    """Raise AssertionError that says what to do if there is no Docker or no image."""
    try:
        made = docker.DockerClient(base_url=url(), timeout=30)
        made.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        raise AssertionError(
            f"Docker at {url()} has no image {IMAGE}: run bin/build-images"
        ) from None
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise AssertionError(
            f"No Docker Engine answers at {url()}, and these tests need one "
            f"(bin/ensure-docker): {error}"
        ) from None
    return made


def remove_all(broker_id: str = BROKER_ID) -> None:
    """Remove the containers with this label."""
    with_label = {"label": f"{BROKER_LABEL}={broker_id}"}
    api = client().api
    for row in api.containers(all=True, filters=with_label):
        api.remove_container(row["Id"], v=True, force=True)
