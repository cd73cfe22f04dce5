"""Several clients at once, each with the next wish of a seeded random sequence."""

import itertools
import random
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.client import Client
from tests.chaos.history import Bound, History, Instance, State
from tests.chaos.lab import ENGINES, Site

CLIENTS = 5
MOST_LIVE = 14
WEIGHTS = {
    "provision": 28,
    "bind": 30,
    "use": 10,
    "unbind": 14,
    "deprovision": 16,
    "back_up": 5,
    "restore": 4,
    "update": 3,
    "provision_again": 2,
    "bind_again": 2,
}
SHARES = {"redis": 50, "mariadb": 35, "postgres": 15}


@dataclass(frozen=True)
class Plan:
    """What is to be asked of the broker."""

    seed: int
    operations: int
    engines: tuple[str, ...]
    clients: int = CLIENTS


class Crowd:
    def __init__(self, site: Site, history: History, plan: Plan) -> None:
        self._site, self._history, self._plan = site, history, plan
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.begun = 0

    def run(self) -> None:
        threads = [
            threading.Thread(target=self._live, args=(f"client{number}",), daemon=True)
            for number in range(self._plan.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _live(self, name: str) -> None:
        client = Client(name, self._site, self._history)
        while True:
            with self._lock:
                number = next(self._numbers)
                if number >= self._plan.operations:
                    return
                self.begun = number + 1
            try:
                self._one(client, random.Random(f"{self._plan.seed} {number}"))  # noqa: S311
            except Exception:
                self._history.violate("harness", "", traceback.format_exc())

    def _one(self, client: Client, rng: random.Random) -> None:
        kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=8)
        for kind in kinds:
            act = self._chosen(kind, client, rng)
            if act is not None:
                break
        else:
            act = self._provision(client, rng)
        is_good = act()
        with self._lock:
            self._history.operations += 1
            self._history.errors += not is_good

    def _chosen(
        self, kind: str, client: Client, rng: random.Random
    ) -> Callable[[], bool] | None:
        """The operation on something that there is; None if there is nothing."""
        live = self._history.live()
        if kind == "provision":
            wanted = [
                r
                for r in self._history.instances
                if r.state in (State.WISHED, State.LIVE)
            ]
            return self._provision(client, rng) if len(wanted) < MOST_LIVE else None
        row = rng.choice(live) if live else None
        if row is None or not self._history.take(row, alone=kind == "deprovision"):
            return None
        act = getattr(self, f"_{kind}")(row, client, rng)
        if act is None:
            self._history.leave(row)
            return None

        def run() -> bool:
            try:
                return bool(act())
            finally:
                self._history.leave(row)

        return run

    def _provision(self, client: Client, rng: random.Random) -> Callable[[], bool]:
        shares = [SHARES[engine] for engine in self._plan.engines]
        engine = rng.choices(self._plan.engines, shares)[0]
        row = new_instance(engine, str(uuid.UUID(int=rng.getrandbits(128), version=4)))
        self._history.instances.append(row)
        return lambda: client.provision(row)

    def _bind(self, row: Instance, client: Client, rng: random.Random) -> object:
        return (lambda: client.bind(row)) if row.is_whole else None

    def _use(self, row: Instance, client: Client, rng: random.Random) -> object:
        bound = row.bound()
        if not bound or not row.is_whole:
            return None
        binding = rng.choice(bound)
        return lambda: client.use(row, binding)

    def _unbind(self, row: Instance, client: Client, rng: random.Random) -> object:
        binding = _free(row, rng)
        # Never let go: who uses it meanwhile is refused, rightly.
        return binding and (lambda: client.unbind(row, binding))

    def _bind_again(self, row: Instance, client: Client, rng: random.Random) -> object:
        binding = _free(row, rng)
        if binding is None:
            return None

        def again() -> bool:
            try:
                return client.bind_again(row, binding)
            finally:
                binding.busy.release()

        return again

    def _deprovision(self, row: Instance, client: Client, rng: random.Random) -> object:
        return lambda: client.delete(row)

    def _provision_again(
        self, row: Instance, client: Client, rng: random.Random
    ) -> object:
        return None if row.is_updated else lambda: client.provision_again(row)

    def _back_up(self, row: Instance, client: Client, rng: random.Random) -> object:
        return self._alone(row, lambda: client.back_up(row))

    def _restore(self, row: Instance, client: Client, rng: random.Random) -> object:
        if not row.backups:
            return None
        backup = rng.choice(row.backups)
        return self._alone(row, lambda: client.restore(row, backup))

    def _update(self, row: Instance, client: Client, rng: random.Random) -> object:
        plan = ENGINES[row.engine]["plans"][0]["id"]
        other = plan[:-1] + "9"
        wanted = other if row.ids["plan_id"] == plan else plan
        return self._alone(row, lambda: client.update(row, wanted))

    def _alone(self, row: Instance, act: Callable[[], bool]) -> object:
        """One that excludes others of its kind; and none where the data has gone."""
        if not row.is_whole or not row.exclusive.acquire(blocking=False):
            return None

        def run() -> bool:
            try:
                return act()
            finally:
                row.exclusive.release()

        return run


def _free(row: Instance, rng: random.Random) -> Bound | None:
    """A binding that nobody else unbinds or asks for again, until it is let go."""
    bound = row.bound()
    free = (b for b in rng.sample(bound, len(bound)) if b.busy.acquire(blocking=False))
    return next(free, None)


def new_instance(engine: str, guid: str) -> Instance:
    offering = ENGINES[engine]
    ids = {"service_id": offering["id"], "plan_id": offering["plans"][0]["id"]}
    return Instance(guid, engine, ids)
