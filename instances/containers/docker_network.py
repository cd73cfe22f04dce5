"""What a Docker Engine says of its machine, and what a container sees of it."""

import contextlib
import ipaddress
import re
import uuid
from collections.abc import Mapping
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.base import HostDescription, HostNetwork
from instances.containers.docker_api import CHANGE_LIMIT_S, lend

FILES = (
    "/proc/net/fib_trie",
    "/proc/net/if_inet6",
    "/proc/sys/net/ipv4/ip_local_port_range",
)
LOOK_LIMIT_S = 15

_LOCAL_4 = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\s*\n\s*/32 host LOCAL")
_LOCAL_6 = re.compile(r"^([0-9a-f]{32}) ", re.M)
_PORTS = re.compile(r"^(\d+)\s+(\d+)\s*$", re.M)
_LIMITS = {
    "MemoryLimit": "memory",
    "SwapLimit": "swap",
    "CpuCfsQuota": "CPU",
    "PidsLimit": "processes",
}


class DockerDescriptions:
    """The part of a Docker Engine that tells of itself."""

    _access: Access
    _timeout_s: int

    def ping(self) -> None:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            api.ping()

    def describe(self) -> HostDescription:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            return describe(api)

    def look_around(self, image: str) -> HostNetwork:
        with lend(self._access, timeout_s=CHANGE_LIMIT_S) as api:
            return look_around(api, image)


def describe(api: docker.APIClient) -> HostDescription:
    told = api.info()
    version = api.version(api_version=False)
    return HostDescription(
        engine_id=told["ID"],
        version=told["ServerVersion"],
        memory_mb=told["MemTotal"] // 2**20,
        api_version=version.get("ApiVersion", ""),
        oldest_api=version.get("MinAPIVersion", ""),
        operating_system=told.get("OSType", ""),
        storage_driver=told.get("Driver", ""),
        cgroup=f"{told.get('CgroupVersion', '1')}, {told.get('CgroupDriver', '')}",
        missing_limits=_missing_limits(told),
    )


def _missing_limits(told: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(word for name, word in _LIMITS.items() if told.get(name) is False)


def look_around(api: docker.APIClient, image: str) -> HostNetwork:
    """By a container in the host's network that only prints what the kernel says."""
    name = f"brokersite-look-{uuid.uuid4().hex}"
    try:
        api.create_container(
            image,
            name=name,
            entrypoint=["cat"],
            command=list(FILES),
            user="65534",
            host_config=api.create_host_config(
                network_mode="host",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit="64m",
                read_only=True,
            ),
        )
        api.start(name)
        api.wait(name, timeout=LOOK_LIMIT_S)
        text = bytes(api.logs(name, stdout=True, stderr=False)).decode()
    except ImageNotFound:
        raise errors.ImageMissing(detail=f"image {image} is not there") from None
    finally:
        with contextlib.suppress(NotFound, APIError):
            api.remove_container(name, v=True, force=True)
    return parse(text)


def parse(text: str) -> HostNetwork:
    """Raise ContainerFailed if the kernel says something else."""
    ports = _PORTS.search(text)
    if ports is None:
        raise errors.ContainerFailed(detail=f"it printed: {text[:200]}")
    found = {str(ipaddress.ip_address(word)) for word in _LOCAL_4.findall(text)}
    found |= {
        str(ipaddress.IPv6Address(int(word, 16))) for word in _LOCAL_6.findall(text)
    }
    return HostNetwork(frozenset(found), (int(ports[1]), int(ports[2])))
