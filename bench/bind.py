"""Bind and unbind over HTTP, beside the engine's own floor; binds by many at once.

"in the engine's module" is the broker's own code for the engine, called without HTTP,
rows and encryption: what lies between it and the floor is the price of repeatability.
"""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

from bench.bare import BareDocker, Database
from bench.clients import Work, milliseconds, per_second
from bench.engines import CONNECTIONS, DATABASE, ENGINES, HOST, Engine
from bench.plans import Plan, load
from bench.report import Aim, Row
from bench.site import Site
from instances.engines import Endpoint, User, get_engine
from instances.management.platform import Instance

SEQUENCES = 4
"""Binds of each kind in a round: they are short."""
CLIENTS = 8
SLICE_S = 3.0
ADDED = Aim(12, of="difference")
RATE = Aim(155, at_least=True)
Values = dict[str, list[float]]
Steps = Iterator[tuple[str, float]]
"""A verb, and how many milliseconds it took."""


def measure(rounds: int) -> Iterator[Row]:
    with Site() as site, BareDocker() as docker:
        for plan in load():
            instance = site.provision(plan)
            database = docker.provision(plan)
            yield from _one_at_a_time(plan, instance, database, SEQUENCES * rounds)
            yield _side_by_side(plan, site, instance, database, 1 + rounds // 10)
            instance.wait_for(instance.deprovision())
            docker.remove(database.container)


def _one_at_a_time(
    plan: Plan, instance: Instance, database: Database, rounds: int
) -> Iterator[Row]:
    values: Values = defaultdict(list)
    kinds = {
        "": _over_http(plan, instance),
        " in the engine's module": _in_the_module(plan, database),
        " floor": _by_hand(plan, database),
    }
    # The first round warms up.
    for number in range(rounds + 1):
        seen: Values = values if number else defaultdict(list)
        for kind, steps in kinds.items():
            for verb, took in steps():
                seen[verb + kind].append(took)
    for verb in ("bind", "unbind"):
        floor = values[f"{verb} floor"]
        yield Row(verb, plan.engine, values[verb], floor, aim=ADDED)
        name = f"{verb} in the engine's module"
        yield Row(name, plan.engine, values[name], floor)


def _side_by_side(
    plan: Plan, site: Site, instance: Instance, database: Database, slices: int
) -> Row:
    """Binds only: each leaves its user behind, as apps that are pushed do."""
    rates: list[float] = []
    floor: list[float] = []
    clients = [_client(site, plan, instance) for _ in range(CLIENTS)]
    engine = ENGINES[plan.engine]
    for _ in range(slices):
        rates.append(per_second(clients, seconds=SLICE_S))
        by_hand: list[Work] = [partial(_create, engine, database)] * CLIENTS
        floor.append(per_second(by_hand, seconds=SLICE_S))
    name = f"binds with {CLIENTS} clients"
    return Row(name, plan.engine, rates, floor, unit="/s", aim=RATE)


def _client(site: Site, plan: Plan, instance: Instance) -> Work:
    same = Instance(
        site.platform(), plan.offering_id, plan.cold_id, "bench", instance.guid
    )
    return lambda: same.bind(secrets.token_hex(8))


def _over_http(plan: Plan, instance: Instance) -> Callable[[], Steps]:
    def steps() -> Steps:
        guid = secrets.token_hex(8)
        credentials = {}

        def bind() -> None:
            credentials.update(instance.bind(guid))

        yield "bind", milliseconds(bind)
        ENGINES[plan.engine].query(credentials)
        yield "unbind", milliseconds(partial(instance.unbind, guid))

    return steps


def _in_the_module(plan: Plan, database: Database) -> Callable[[], Steps]:
    engine = get_engine(plan.engine)
    endpoint = Endpoint(HOST, database.port, database.secret)

    def steps() -> Steps:
        user = User(_name(), secrets.token_urlsafe(24), DATABASE, CONNECTIONS)
        yield "bind", milliseconds(partial(engine.create_user, endpoint, user))
        yield "unbind", milliseconds(partial(engine.drop_user, endpoint, user.name))

    return steps


def _by_hand(plan: Plan, database: Database) -> Callable[[], Steps]:
    engine = ENGINES[plan.engine]

    def steps() -> Steps:
        name = _name()
        yield "bind", milliseconds(partial(_create, engine, database, name))
        yield "unbind", milliseconds(partial(_drop, engine, database, name))

    return steps


def _create(engine: Engine, database: Database, name: str = "") -> None:
    with engine.session(database) as session:
        engine.create_user(session, name or _name(), secrets.token_urlsafe(24))


def _drop(engine: Engine, database: Database, name: str) -> None:
    with engine.session(database) as session:
        engine.drop_user(session, name)


def _name() -> str:
    return f"u{secrets.token_hex(8)}"
