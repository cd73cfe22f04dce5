"""A Docker Engine's API, lent to one thread at a time; Docker's errors become ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, DockerException

from instances import errors

_clients = threading.local()


@contextmanager
def lend(url: str, *, timeout_s: int) -> Iterator[docker.APIClient]:
    """Lend this thread's client. Raise HostRefused, HostUnreachable."""
    try:
        yield _client(url, timeout_s)
    except APIError as error:
        raise errors.HostRefused(
            detail=f"Docker at {url} refused: {error.explanation or error}"
        ) from error
    except (DockerException, requests.RequestException, OSError) as error:
        _cached().pop((url, timeout_s), None)
        raise errors.HostUnreachable(
            detail=f"Docker at {url} does not answer: {error}"
        ) from error


def _client(url: str, timeout_s: int) -> docker.APIClient:
    """docker-py's client is not thread-safe, and dear to make: one a thread."""
    key = (url, timeout_s)
    if key not in _cached():
        version = _new_client("1.41", url, timeout_s).version(api_version=False)
        _cached()[key] = _new_client(version["ApiVersion"], url, timeout_s)
    return _cached()[key]


def _new_client(version: str, url: str, timeout_s: int) -> docker.APIClient:
    client = docker.APIClient(base_url=url, version=version, timeout=timeout_s)
    # A proxy or CA bundle in the environment must not replace ours.
    client.trust_env = False
    return client


def _cached() -> dict[tuple[str, int], docker.APIClient]:
    if not hasattr(_clients, "by_url"):
        _clients.by_url = {}
    return _clients.by_url  # type: ignore[no-any-return]
