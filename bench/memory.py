"""What an idle instance holds, as the memory limit of its container counts it.

That is the cgroup's usage without the file cache, which the kernel takes back when it
is needed; what processes share (PostgreSQL's buffers) stays in. Not in it: Docker's
own processes for the container, about 3 MB.
"""

import secrets
import time
from collections.abc import Iterator

import docker

from bench.engines import ENGINES
from bench.plans import load
from bench.report import Row
from bench.site import Site

INSTANCES = 3
IDLE_S_PER_ROUND = 2
MB = 10**6


def measure(rounds: int) -> Iterator[Row]:
    """Of a few instances; the rounds say how long they are left alone."""
    idle_s = IDLE_S_PER_ROUND * rounds
    with Site() as site:
        containers = {}
        for plan in load():
            for _ in range(INSTANCES):
                instance = site.provision(plan)
                ENGINES[plan.engine].query(instance.bind(secrets.token_hex(8)))
            containers[plan.engine] = site.containers(plan.image)
        time.sleep(idle_s)
        api = docker.from_env().api
        name = f"memory after {idle_s} s idle"
        for engine, found in containers.items():
            yield Row(name, engine, [_held(api, one) / MB for one in found], unit="MB")


def _held(api: docker.APIClient, container: str) -> int:
    """Bytes."""
    memory = api.stats(container, stream=False)["memory_stats"]
    details: dict[str, int] = memory["stats"]
    # Cgroup 1 says total_… where cgroup 2 has no prefix.
    prefix = "total_" if "total_inactive_file" in details else ""
    lists = ("inactive_file", "active_file")
    return memory["usage"] - sum(details[prefix + name] for name in lists)
