"""python -m bench.reconcile_pass: what bench.reconcile runs, as JSON in and out.

It makes the rows and the containers, measures, and removes the containers.
"""

import io
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial

import django
import docker

django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.clients import at_once  # noqa: E402
from bench.plans import load  # noqa: E402
from bench.processes import listens  # noqa: E402
from bench.removal import remove_all  # noqa: E402
from instances.engines import new_secret  # noqa: E402
from instances.models import (  # noqa: E402
    Broker,
    Container,
    DockerHost,
    PortLease,
    ServiceInstance,
    ServicePlan,
)
from instances.operations import hosts  # noqa: E402
from instances.operations.reconcile import reconcile  # noqa: E402

SIDE_BY_SIDE = 4
PORTS = range(30000, 31000)
MEMORY_MB = 32


def main() -> None:
    containers, rows, rounds = json.loads(sys.stdin.readline())
    call_command("bootstrap", stdout=io.StringIO())
    logging.disable(logging.WARNING)
    label = f"brokersite.broker={Broker.this().broker_id}"
    try:
        host = _prepare(containers, rows)
        print(json.dumps(_measure(host, label, rounds)))
    finally:
        remove_all(label)


def _prepare(containers: int, rows: int) -> DockerHost:
    plan = ServicePlan.objects.select_related("offering").get(
        pk=next(found.plan_id for found in load() if found.engine == "redis")
    )
    host = DockerHost.objects.get()
    made = {"host": host, "plan": plan, "engine": "redis", "image": plan.image}
    made |= {"memory_mb": MEMORY_MB, "cpus": plan.cpus, "pids": plan.pids}
    gone = {"state": Container.State.GONE, "gone_at": timezone.now()}
    Container.objects.bulk_create(
        (Container(admin_secret="", **gone, **made) for _ in range(rows - containers)),
        batch_size=500,
    )
    ports = (port for port in PORTS if not listens(port))
    used = []
    for number in range(containers):
        row = Container.objects.create(
            admin_secret=new_secret(), state=Container.State.IN_USE, **made
        )
        PortLease.objects.create(host=host, number=next(ports), container=row)
        ServiceInstance.new(
            guid=f"bench-{number}",
            context={},
            plan=plan,
            container=row,
            state=ServiceInstance.State.READY,
        ).save()
        used.append(hosts.spec(row))
    docker_host = hosts.connect(host)
    docker_host.create(used[0])  # and the network
    starts = [partial(_start, host, spec) for spec in used]
    at_once(starts, threads=SIDE_BY_SIDE)
    return host


def _start(host: DockerHost, spec: object) -> None:
    docker_host = hosts.connect(host)
    docker_host.create(spec)  # type: ignore[arg-type]
    docker_host.start(spec.name)  # type: ignore[attr-defined]


def _measure(host: DockerHost, label: str, rounds: int) -> dict[str, list[float]]:
    api = docker.from_env().api
    filters = {"label": label}

    def listed() -> list[str]:
        return [row["Id"] for row in api.containers(all=True, filters=filters)]

    def inspected() -> None:
        for found in listed():
            api.inspect_container(found)

    # Whatever is not in step is settled before.
    reconcile(host, is_full=True)
    assert reconcile(host, is_full=True) == []
    measures: dict[str, Callable[[], object]] = {
        "list": listed,
        "list and inspect": inspected,
        "pass": lambda: reconcile(DockerHost.objects.get()),
        "full": lambda: reconcile(DockerHost.objects.get(), is_full=True),
    }
    took: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, body in measures.items():
            started_at = time.perf_counter()
            body()
            took[name].append(time.perf_counter() - started_at)
    return took


if __name__ == "__main__":
    main()
