"""How long a backup holds an app's writes, beside a bare commit; its proof and restore.

An app writes one small thing after the other. Held is the longest silence between two
answers while the data is copied or committed: by both methods and by hand, in turns.
"""

import json
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Any

import docker

from bench.clients import Work
from bench.engines import ENGINES
from bench.filling import FILL, TICK
from bench.plans import Plan, load
from bench.report import Aim, Row
from bench.site import Site
from instances.management.platform import Instance

SIZES_MB, LARGE_MB = (0, 10, 100), (1000,)
IN_MEMORY = ("redis",)
"""Engines whose data has to fit into memory: they get more than the shipped plan's."""
DISK_MB = 8192
LIMIT_S = 900.0
HELD = Aim(1.1, of="ratio")
HOT = Aim(150)
Values = dict[str, list[float]]
Window = tuple[float, float]
"""From and to, in seconds of the wall clock."""

ASK = """
from instances.models import Actor, ServiceInstance
from instances.operations import back_up, restore
actor = Actor(kind="operator", name="bench")
instance = ServiceInstance.objects.get_live({guid!r})
"""
BACK_UP = ASK + (
    'back_up.accept(instance, trigger="operator", actor=actor, method={method!r})'
)
METHODS = ("paused", "hot")
WITNESS = "leaving a witness in the data"
"""The step after which data is copied."""
RESTORE = ASK + (
    'restore.accept(restore.find(instance, "latest"), actor=actor, is_safe=False)'
)


def measure(rounds: int) -> Iterator[Row]:
    """A tenth of the rounds, but three at least."""
    yield from _measure(max(3, rounds // 10), SIZES_MB, warm_ups=1)


def measure_large(rounds: int) -> Iterator[Row]:
    """Without a warm-up: it would be a quarter of the time."""
    yield from _measure(max(3, rounds // 10), LARGE_MB, warm_ups=0)


def _measure(rounds: int, sizes_mb: tuple[int, ...], *, warm_ups: int) -> Iterator[Row]:
    with Site() as site:
        sql = "UPDATE instances_serviceplan SET disk_mb = ?, final_backup_days = 0"
        site.execute(sql, DISK_MB)
        for plan in load():
            if plan.engine in IN_MEMORY:
                _give_memory(site, plan, max(sizes_mb))
            for size_mb in sizes_mb:
                yield from _of_one(site, plan, size_mb, rounds, warm_ups)


def _give_memory(site: Site, plan: Plan, data_mb: int) -> None:
    """For the data, for as much that changes during a copy, and for the server."""
    sql = "UPDATE instances_serviceplan SET memory_mb = ? WHERE id = ?"
    site.execute(sql, 3 * data_mb + 128, plan.cold_id)


def _of_one(
    site: Site, plan: Plan, size_mb: int, rounds: int, warm_ups: int
) -> Iterator[Row]:
    instance = site.provision(plan)
    login = instance.bind(secrets.token_hex(8))
    with ENGINES[plan.engine].app(login) as session:
        FILL[plan.engine](session, size_mb)
    values: Values = defaultdict(list)
    for number in range(rounds + warm_ups):
        seen: Values = values if number >= warm_ups else defaultdict(list)
        _time_commit(site, plan, login, seen)
        for method in METHODS:
            _time_backup(site, instance, plan, login, seen, method)
        _time_nothing(plan, login, seen)
        _time_restore(site, instance, plan, login, seen)
    instance.wait_for(instance.deprovision())
    size = f"{size_mb} MB"
    floor = values["floor"]
    for method, aim in zip(METHODS, (HELD, HOT), strict=True):
        name = f"{method} backup of {size}"
        held, took = values[f"{method} held"], values[f"{method} took"]
        yield Row(f"{name}: writes held", plan.engine, held, floor, aim=aim)
        yield Row(f"{name}: in all", plan.engine, took)
        yield Row(f"{name}: proof", plan.engine, values[f"{method} proof"])
    yield Row(f"no backup of {size}: writes held", plan.engine, values["nothing"])
    yield Row(f"restore of {size}", plan.engine, values["restore"])
    yield Row(f"restore of {size}: no login for", plan.engine, values["outage"])


def _time_commit(site: Site, plan: Plan, login: dict[str, Any], values: Values) -> None:
    api = docker.from_env(timeout=int(LIMIT_S)).api
    (container,) = site.containers(plan.image)
    made: list[str] = []
    began: list[float] = []

    def commit() -> None:
        began.append(time.time())
        made.append(api.commit(container, pause=True)["Id"])

    with ExitStack() as stack:
        session = stack.enter_context(ENGINES[plan.engine].app(login))
        silences = _silences(partial(TICK[plan.engine], session), commit)
        window = (began[0], time.time())
    api.remove_image(made[0], force=True)
    values["floor"].append(_longest(silences, window))


def _time_nothing(plan: Plan, login: dict[str, Any], values: Values) -> None:
    """What the machine itself holds an app for, in as long as a hot backup took."""
    took_s = values["hot took"][-1] / 1000
    with ENGINES[plan.engine].app(login) as session:
        tick = partial(TICK[plan.engine], session)
        silences = _silences(tick, partial(time.sleep, took_s))
    values["nothing"].append(_longest(silences, (silences[0][1], silences[-1][0])))


def _time_backup(
    site: Site,
    instance: Instance,
    plan: Plan,
    login: dict[str, Any],
    values: Values,
    method: str,
) -> None:
    def back_up() -> None:
        wish = BACK_UP.format(guid=instance.guid, method=method)
        site.manage("shell", "-c", wish)
        _wait_for_operation(site)

    with ENGINES[plan.engine].app(login) as session:
        silences = _silences(partial(TICK[plan.engine], session), back_up)
    ((found,),) = _last(site, "steps")
    steps = json.loads(found)
    at = [_seconds(step["at"]) for step in steps]
    (place,) = [n for n, step in enumerate(steps) if step["text"] == WITNESS]
    window = at[place + 1], at[-1]
    values[f"{method} held"].append(_longest(silences, window))
    values[f"{method} took"].append(1000 * (window[1] - window[0]))
    sql = "SELECT taken_at, verified_at FROM instances_backup ORDER BY created_at DESC"
    ((taken_at, verified_at),) = _wait(
        lambda: [row for row in site.execute(f"{sql} LIMIT 1") if row[1]]
    )
    values[f"{method} proof"].append(
        1000 * (_seconds(verified_at) - _seconds(taken_at))
    )


def _time_restore(
    site: Site, instance: Instance, plan: Plan, login: dict[str, Any], values: Values
) -> None:
    def restore() -> None:
        site.manage("shell", "-c", RESTORE.format(guid=instance.guid))
        _wait_for_operation(site)

    silences = _silences(partial(ENGINES[plan.engine].query, login), restore)
    ((created_at, finished_at),) = _last(site, "created_at, finished_at")
    window = _seconds(created_at), _seconds(finished_at)
    values["restore"].append(1000 * (window[1] - window[0]))
    values["outage"].append(_longest(silences, window))


def _silences(work: Work, meanwhile: Callable[[], None]) -> list[Window]:
    """Between two successes of work, which is done over and over meanwhile."""
    found: list[Window] = []
    is_over = threading.Event()

    def repeat() -> None:
        heard_at = time.time()
        while not is_over.is_set():
            try:
                work()
            except Exception:  # noqa: S112
                continue  # a database that is being restored
            found.append((heard_at, time.time()))
            heard_at = time.time()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        meanwhile()
    finally:
        # One more success, which ends the last silence.
        time.sleep(0.5)
        is_over.set()
        thread.join()
    return found


def _longest(silences: list[Window], window: Window) -> float:
    """In milliseconds, of those that overlap."""
    began, ended = window
    return 1000 * max(b - a for a, b in silences if a <= ended and b >= began)


def _wait_for_operation(site: Site) -> None:
    ((state, detail),) = _wait(
        lambda: [
            row
            for row in _last(site, "state, detail")
            if row[0] not in ("queued", "running")
        ]
    )
    if state != "succeeded":
        raise RuntimeError(detail)


def _last(site: Site, columns: str) -> list[Any]:
    """Of the last operation."""
    sql = f"SELECT {columns} FROM instances_operation"
    return site.execute(f"{sql} ORDER BY created_at DESC LIMIT 1")


def _wait(look: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + LIMIT_S
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError("a backup takes too long")
        time.sleep(0.05)
    return found


def _seconds(moment: str) -> float:
    """Of the wall clock; the database leaves the zone out, which is UTC."""
    text = moment if "+" in moment else f"{moment}+00:00"
    return datetime.fromisoformat(text).timestamp()
