"""From a platform's wish to an app's first answer, beside the bare Docker calls.

The kinds take turns in each round, so that a noisy machine is noisy for all of them.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Iterator

from bench.bare import BareDocker
from bench.clients import milliseconds
from bench.engines import ENGINES
from bench.plans import STANDBYS, Plan, load
from bench.report import Aim, Row
from bench.site import Site
from instances.management.platform import Instance

Values = dict[str, list[float]]
STANDBY, COLD = "with a standby", "cold"
AIMS = {STANDBY: Aim(0.15, of="ratio"), COLD: Aim(1.15, of="ratio")}


def measure(rounds: int) -> Iterator[Row]:
    with Site(standbys=STANDBYS) as site, BareDocker() as docker:
        for plan in load():
            values: Values = defaultdict(list)
            # The first round warms up.
            for number in range(rounds + 1):
                seen: Values = values if number else defaultdict(list)
                for kind in (STANDBY, COLD):
                    # A start beside it would be measured too.
                    site.wait_for_standbys()
                    _time_broker(site, plan, kind, seen)
                site.wait_for_standbys()
                _time_floor(docker, plan, seen)
            yield from _rows(plan.engine, values)


def _rows(engine: str, values: Values) -> Iterator[Row]:
    for kind, aim in AIMS.items():
        name = f"create-service to first query, {kind}"
        yield Row(name, engine, values[kind], values["floor"], aim=aim)
        yield Row(f"create-service, {kind}", engine, values[f"{kind}: create"])
    name = "delete-service, no final backup"
    yield Row(name, engine, values["delete"], values["delete floor"])


def _time_broker(site: Site, plan: Plan, kind: str, values: Values) -> None:
    plan_id = plan.plan_id if kind == STANDBY else plan.cold_id
    instance = Instance(site.platform(), plan.offering_id, plan_id, "bench")
    started_at = time.perf_counter()
    instance.wait_for(instance.provision())
    created_at = time.perf_counter()
    credentials = instance.bind(secrets.token_hex(8))
    ENGINES[plan.engine].query(credentials)
    answered_at = time.perf_counter()
    values[kind].append(1000 * (answered_at - started_at))
    values[f"{kind}: create"].append(1000 * (created_at - started_at))
    deleted = milliseconds(lambda: instance.wait_for(instance.deprovision()))
    values["delete"].append(deleted)


def _time_floor(docker: BareDocker, plan: Plan, values: Values) -> None:
    started_at = time.perf_counter()
    database = docker.provision(plan)
    values["floor"].append(1000 * (time.perf_counter() - started_at))
    removed = milliseconds(lambda: docker.remove(database.container))
    values["delete floor"].append(removed)
