"""python -m bench.ports_pass: what bench.ports runs, as JSON in and out.

A port is reserved as a worker does it for a provision: the host is chosen and locked,
the container's row and its lease are written, in one transaction that is made again if
the database undoes it. Beside it, from as many processes, the least that could do, and
a plain insert. Processes take their turns in slices, so that a busy minute meets all.
"""

import io
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from bench.plans import load  # noqa: E402
from bench.ports import LEAST, PLAIN  # noqa: E402
from instances import placement, transactions  # noqa: E402
from instances.models import DockerHost, PortLease, ServicePlan  # noqa: E402
from instances.operations.turns import recording  # noqa: E402
from tests.databases.processes import in_processes  # noqa: E402

SLICES = 4
FIRST_PORT = 20000
TABLES = (
    "CREATE TABLE bench_plain (process integer NOT NULL, number integer NOT NULL,"
    " PRIMARY KEY (process, number))",
    "CREATE TABLE bench_host (id integer PRIMARY KEY, port integer NOT NULL)",
    "CREATE TABLE bench_container (id integer PRIMARY KEY, name varchar(50) NOT NULL)",
    "CREATE TABLE bench_lease (port integer PRIMARY KEY, container integer NOT NULL"
    " REFERENCES bench_container (id))",
)
Slice = tuple[float, float, list[float], list[int]]
"""When it began and ended, how long each took in ms, and what each gave."""


def main() -> None:
    processes, each = json.loads(sys.stdin.readline())
    call_command("bootstrap", stdout=io.StringIO())
    logging.disable(logging.WARNING)
    plan = _prepare(processes * each)
    bodies: dict[str, Callable[[int, int], int]] = {
        PLAIN: _insert,
        LEAST: _least,
        "reserve": partial(_reserve, plan),
    }
    seconds, took = dict.fromkeys(bodies, 0.0), {name: [] for name in bodies}
    ports: list[int] = []
    for number in range(SLICES):
        numbers = range(number * each // SLICES, (number + 1) * each // SLICES)
        for name, body in bodies.items():
            found: list[Slice] = in_processes(processes, _slice, body, numbers)
            began_at, ended_at = min(s[0] for s in found), max(s[1] for s in found)
            seconds[name] += ended_at - began_at
            took[name] += [ms for s in found for ms in s[2]]
            ports += [port for s in found for port in s[3] if name == "reserve"]
    told = {"twice": _twice(ports), "seconds": seconds, "ms": took}
    print(json.dumps(told))


def _prepare(total: int) -> ServicePlan:
    """A host that has room for so many of the plan, and not one port more."""
    plan = ServicePlan.objects.select_related("offering").get(
        pk=next(found.plan_id for found in load() if found.engine == "redis")
    )
    DockerHost.objects.update(
        port_min=FIRST_PORT,
        port_max=FIRST_PORT + total - 1,
        memory_mb=total * plan.memory_mb,
    )
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table)
        cursor.execute("INSERT INTO bench_host VALUES (1, 0)")
    return plan


def _slice(process: int, body: Callable[[int, int], int], numbers: range) -> Slice:
    connection.ensure_connection()
    took, given = [], []
    began_at = ended_at = time.monotonic()
    for number in numbers:
        given.append(body(process, number))
        now = time.monotonic()
        took.append(1000 * (now - ended_at))
        ended_at = now
    return began_at, ended_at, took, given


@transactions.repeated
def _reserve(plan: ServicePlan, process: int, number: int) -> int:
    with recording():
        port = placement.place(plan).port
    assert port is not None
    return port


@transactions.repeated
def _least(process: int, number: int) -> int:
    """Lock a host, write a container and its port."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE bench_host SET port = port + 1 WHERE id = 1")
        cursor.execute("SELECT port FROM bench_host WHERE id = 1")
        (port,) = cursor.fetchone()
        cursor.execute("INSERT INTO bench_container VALUES (%s, %s)", [port, "c"])
        cursor.execute("INSERT INTO bench_lease VALUES (%s, %s)", [port, port])
    return int(port)


@transactions.repeated
def _insert(process: int, number: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_plain VALUES (%s, %s)", [process, number])
    return number


def _twice(ports: list[int]) -> int:
    """How many were given more than once. Raise AssertionError if one was lost."""
    kept: Any = PortLease.objects.filter(container__isnull=False)
    assert kept.count() == len(ports), "a port that was given is in no lease"
    assert set(kept.values_list("number", flat=True)) == set(ports)
    return len(ports) - len(set(ports))


if __name__ == "__main__":
    main()
