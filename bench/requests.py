"""Requests that only read, under wrk: how many a second, and what each costs.

The cost is the processor time of gunicorn's workers divided by the requests.
"""

import json
import os
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import processes
from bench.plans import ROOT, load
from bench.report import Aim, Row
from bench.site import USERNAME, Site

CONNECTIONS = 8
SLICE_S = 3
CATALOG_COST = Aim(0.35)
NO_ENGINE = "-"


@dataclass
class Target:
    """An address under load: its rates in requests/s, its costs in ms."""

    url: str
    web_pid: int
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def measure(rounds: int) -> Iterator[Row]:
    with Site() as site:
        plan = load()[-1]
        instance = site.provision(plan)
        paths = {
            "catalog": "/v2/catalog",
            "last_operation": f"/v2/service_instances/{instance.guid}/last_operation",
        }
        login = b64encode(f"{USERNAME}:{site.password}".encode()).decode()
        for name, path in paths.items():
            _, body = site.platform().call("GET", path)
            with _bare(json.dumps(body)) as floor:
                target = Target(site.url + path, site.web_pid)
                _alternate([target, floor], login, 1 + rounds // 10)
            yield from _rows(name, target, floor)


def _rows(name: str, target: Target, floor: Target) -> Iterator[Row]:
    yield Row(f"GET {name}", NO_ENGINE, target.rates, floor.rates, unit="requests/s")
    aim = CATALOG_COST if name == "catalog" else None
    cost = f"GET {name}, CPU per request"
    yield Row(cost, NO_ENGINE, target.costs, floor.costs, aim=aim)


def _alternate(targets: list[Target], login: str, slices: int) -> None:
    for target in targets:
        # Each process hashes the password once.
        _run_wrk(target.url, login, seconds=1)
    for _ in range(slices):
        for target in targets:
            before = processes.workers_cpu_s(target.web_pid)
            found = _run_wrk(target.url, login, seconds=SLICE_S)
            used = processes.workers_cpu_s(target.web_pid) - before
            target.rates.append(found["requests"] / found["duration_us"] * 1e6)
            target.costs.append(1000 * used / found["requests"])


def _run_wrk(url: str, login: str, *, seconds: int) -> dict[str, int]:
    """Raise RuntimeError if any request was answered with an error."""
    headers = ("Authorization: Basic " + login, "X-Broker-API-Version: 2.17")
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{seconds}s", "--script", "bench/wrk.lua"),
            *(word for header in headers for word in ("--header", header)),
            url,
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    if found["errors"]:
        raise RuntimeError(f"{url}: {found['errors']} requests failed")
    return found


@contextmanager
def _bare(body: str) -> Iterator[Target]:
    """A gunicorn with the same settings whose application does nothing."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "body").write_text(body)
        environment = os.environ | {"BENCH_BODY": str(folder / "body")}
        port = processes.free_port()
        arguments = processes.gunicorn("bench.bare_wsgi:application", port)
        pid = processes.start(stack, folder / "log", environment, *arguments)
        processes.wait_for_port(port)
        yield Target(f"http://127.0.0.1:{port}/", pid)
