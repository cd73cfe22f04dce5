"""Many creates at once, beside the rate of the Docker Engine itself.

The floor does the same creates by hand, as many side by side as is best for it.
"""

import secrets
from collections.abc import Iterator
from functools import partial

from bench.bare import BareDocker
from bench.clients import at_once, milliseconds
from bench.engines import ENGINES
from bench.plans import Plan, load
from bench.report import Row
from bench.site import Site
from instances.management.platform import Instance

CREATES = 20
SIDE_BY_SIDE = (2, 4, 8)
REMOVALS = 4
POLL_S = 0.5
"""So many who ask more often would take the time that they measure."""
ROUNDS_PER_REPEAT = 30


def measure(rounds: int) -> Iterator[Row]:
    with Site() as site, BareDocker() as docker:
        for plan in load():
            took: list[float] = []
            floor: list[float] = []
            for _ in range(max(1, rounds // ROUNDS_PER_REPEAT)):
                took.append(_time_broker(site, plan))
                floor.append(min(_time_floor(docker, plan, n) for n in SIDE_BY_SIDE))
            yield from _rows(plan.engine, took, floor)


def _rows(engine: str, took: list[float], floor: list[float]) -> Iterator[Row]:
    name = f"{CREATES} creates at once, until all have answered a query"
    yield Row(name, engine, took, floor, unit="s")
    rates = [CREATES / seconds for seconds in took]
    floor_rates = [CREATES / seconds for seconds in floor]
    name = f"{CREATES} creates at once, rate"
    yield Row(name, engine, rates, floor_rates, unit="creates/s")


def _time_broker(site: Site, plan: Plan) -> float:
    instances = [
        Instance(
            site.platform(poll_s=POLL_S), plan.offering_id, plan.cold_id, f"bench-{n}"
        )
        for n in range(CREATES)
    ]
    creates = [partial(_create, plan, instance) for instance in instances]
    took = milliseconds(lambda: at_once(creates, threads=CREATES)) / 1000
    at_once([partial(_delete, found) for found in instances], threads=REMOVALS)
    return took


def _create(plan: Plan, instance: Instance) -> None:
    instance.wait_for(instance.provision())
    ENGINES[plan.engine].query(instance.bind(secrets.token_hex(8)))


def _delete(instance: Instance) -> None:
    instance.wait_for(instance.deprovision())


def _time_floor(docker: BareDocker, plan: Plan, side_by_side: int) -> float:
    made: list[str] = []

    def create() -> None:
        made.append(docker.provision(plan).container)

    took = milliseconds(lambda: at_once([create] * CREATES, threads=side_by_side))
    at_once([partial(docker.remove, name) for name in made], threads=REMOVALS)
    return took / 1000
