"""A Docker Engine's API, lent to one thread at a time; Docker's errors become ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, DockerException
from docker.utils import version_lt

from instances import errors
from instances.containers import docker_trouble
from instances.containers.access import Access
from instances.containers.breaker import Breaker, breaker_of
from instances.containers.deadlines import limited
from instances.containers.docker_connection import (
    EngineAdapter,
    forget_greeting,
    greeting_of,
)
from instances.containers.docker_dialling import DialFailed

SHORT_S = 10
"""Longer calls are only made to a host that has just answered a short one."""
CHANGE_LIMIT_S = 30
"""A start takes longer than a look, and most on a machine that is busy."""
PROBE_S = 3
OLDEST_API = "1.41"
"""Docker 20.10; older ones have not been tried."""
NEWEST_API = "1.45"
"""What docker-py speaks; Docker 29 wants 1.44 or newer."""

_clients = threading.local()


@contextmanager
def lend(
    access: Access, *, timeout_s: float, silence_s: float | None = None
) -> Iterator[docker.APIClient]:
    """Lend this thread's client, for so long in all and so long without a word.

    Raise HostRefused; HostUnreachable, at once if the host's breaker is open;
    WrongEngine if it is not the host's.
    """
    breaker = breaker_of(access.url)
    with breaker.passing() as is_probe, limited(timeout_s, silence_s):
        try:
            if is_probe or timeout_s > SHORT_S:
                # A frozen host is not found out by a call that may take an hour.
                ping(access, limit_s=PROBE_S)
            yield _client(access)
            breaker.succeed()
        except APIError as error:
            breaker.succeed()
            raise errors.HostRefused(
                detail=f"Docker at {access.url} refused: {error.explanation or error}"
            ) from error
        except (
            DialFailed,
            DockerException,
            requests.RequestException,
            OSError,
        ) as error:
            _forget(access)
            raise _unreachable(access, breaker, error) from error


def ping(access: Access, *, limit_s: float) -> None:
    """Raise DialFailed, WrongEngine, or what requests raises."""
    with limited(limit_s):
        api = _client(access)
        # What the engine says of itself is asked anew with each connection.
        response = api.get(f"{api.base_url}/_ping", timeout=None)
        response.raise_for_status()


def _unreachable(
    access: Access, breaker: Breaker, error: Exception
) -> errors.HostUnreachable:
    """As our error; whether the host is at fault is seen by asking it again."""
    said = str(error) if isinstance(error, DialFailed) else ""
    reason = said or docker_trouble.explain(error, access)
    detail = f"Docker at {access.url} does not answer: {reason}"
    if _is_silence(error):
        # A wedged container hangs calls about itself, and the host is well (F46).
        if _answers(access):
            breaker.succeed()
        else:
            breaker.fail(detail, at_once=True)
    else:
        breaker.fail(detail)
    return errors.HostUnreachable(detail=detail)


def _is_silence(error: BaseException) -> bool:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, TimeoutError):
            break
        nested = [arg for arg in seen.args if isinstance(arg, BaseException)]
        seen = nested[0] if nested else (seen.__cause__ or seen.__context__)
    return isinstance(seen, TimeoutError)


def _answers(access: Access) -> bool:
    try:
        ping(access, limit_s=PROBE_S)
    except (DialFailed, errors.BrokerError, requests.RequestException, OSError):
        _forget(access)
        return False
    return True


def _client(access: Access) -> docker.APIClient:
    """docker-py's client is not thread-safe, and dear to make: one a thread."""
    version = _version(access)
    client = _cached().get(access)
    if client is None or client.api_version != version:
        client = _cached()[access] = _new_client(access, version)
    return client


def _version(access: Access) -> str:
    """The newest that both sides speak. Raise DialFailed if there is none."""
    offered = greeting_of(access).api_version
    if not offered or version_lt(offered, OLDEST_API):
        raise DialFailed(
            f"the engine speaks API {offered or '?'}, and the broker needs "
            f"{OLDEST_API}: install Docker 20.10 or newer there"
        )
    return offered if version_lt(offered, NEWEST_API) else NEWEST_API


def _new_client(access: Access, version: str) -> docker.APIClient:
    # For docker-py, https:// is how it finds the socket below TLS.
    base_url = "https://docker:2376" if access.has_tls else "http://docker:2375"
    # It is limited() that counts, not the time-out of requests.
    client = docker.APIClient(base_url=base_url, version=version, timeout=24 * 3600)
    client.mount(base_url, EngineAdapter(access))
    # A proxy or CA bundle in the environment must not replace ours.
    client.trust_env = False
    client.proxies = {}
    return client


def _forget(access: Access) -> None:
    client = _cached().pop(access, None)
    if client is not None:
        client.close()
    forget_greeting(access)


def _cached() -> dict[Access, docker.APIClient]:
    if not hasattr(_clients, "by_access"):
        _clients.by_access = {}
    return _clients.by_access  # type: ignore[no-any-return]
