"""The local Docker Engine, for tests that need a real one: never skipped."""

import itertools
import socket
import time
import uuid

import docker
import docker.errors
import requests
from django.conf import settings

from instances import errors
from instances.containers import (
    BACKUP_LABEL,
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerSpec,
)
from instances.engines import Endpoint, Engine
from tests.ports import SLOT, SLOTS

IMAGES = {
    "mariadb": "brokersite/mariadb:10.11.2",
    "postgres": "brokersite/postgres:15",
    "redis": "brokersite/redis:7.0",
    "generic": "brokersite/memcached:1.6",
}
IMAGE = IMAGES["mariadb"]
ADDRESS = "127.0.0.1"
BROKER_ID = f"test-{uuid.uuid4()}"
"""Label of all that this run makes: a run beside it is left alone."""
READY_LIMIT_S = 30
_ports = itertools.cycle(range(29000 + SLOT, 32400, SLOTS))


def url() -> str:
    return str(settings.FIRST_DOCKER_HOST["url"])


def next_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, port)):
                return port


def client() -> docker.DockerClient:
    """Raise AssertionError that says what to do if there is no Docker or no image."""
    image = ""
    try:
        made = docker.DockerClient(base_url=url(), timeout=30)
        for image in IMAGES.values():
            made.images.get(image)
    except docker.errors.ImageNotFound:
        raise AssertionError(
            f"Docker at {url()} has no image {image}: run bin/build-images"
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


def remove_backups(broker_id: str) -> None:
    """Remove the backup images with this label; their containers are gone."""
    filters = {"label": [f"{BROKER_LABEL}={broker_id}", BACKUP_LABEL]}
    api = client().api
    for row in api.images(filters=filters):
        api.remove_image(row["Id"], force=True)


def remove_image(reference: str) -> None:
    """Containers of it may still be there: they keep it, untagged, until they go."""
    client().api.remove_image(reference, force=True)


def spec_of(engine: Engine, admin_secret: str, *, image: str = "") -> ContainerSpec:
    """A container of this engine, with a port of its own."""
    identity = uuid.uuid4().hex
    return ContainerSpec(
        name=f"brokersite-test-{identity}",
        image=image or IMAGES[engine.name],
        environment=engine.environment(admin_secret),
        port=engine.port,
        publish_address=ADDRESS,
        publish_port=next_port(),
        memory_mb=256,
        cpus=1.0,
        pids=200,
        labels={CONTAINER_LABEL: identity, BROKER_LABEL: BROKER_ID},
    )


def wait_for(engine: Engine, endpoint: Endpoint) -> None:
    """Return once the administrator can log in."""
    deadline = time.monotonic() + READY_LIMIT_S
    while True:
        try:
            return engine.check(endpoint)
        except errors.EngineUnreachable:
            assert time.monotonic() < deadline
            time.sleep(0.02)
