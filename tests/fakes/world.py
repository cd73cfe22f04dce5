"""The world of one test: machines and engine, put in the place of the real ones."""

from collections.abc import Iterable
from datetime import timedelta
from unittest import mock

from django.db.models.functions import Now

from instances import containers, engines
from instances.containers import Access
from instances.engines import hot
from instances.models import (
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceInstance,
)
from instances.operations import hosts
from instances.operations.execution import run
from instances.operations.reconcile import ports
from instances.operations.reconcile.ports import Knocked
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.engine import FakeEngine
from tests.fakes.faults import Faults
from tests.fakes.hot import FakeRecipe
from tests.fakes.machine import FakeContainer, Machine

URL = "memory://one"
ADDRESS = "127.0.0.1"
WORKER = "worker-test-0"


class World:
    def __init__(self) -> None:
        self.faults = Faults()
        self.machines: dict[str, Machine] = {}
        self.engine = FakeEngine(lambda: self.machines.values(), self.faults)
        self.recipe = FakeRecipe(self.engine)

    @property
    def machine(self) -> Machine:
        """The first host's."""
        return self.at(URL)

    def at(self, url: str) -> Machine:
        return self.machines.setdefault(url, Machine(self.faults, engine_id=url))

    def connect(self, access: Access, *, timeout_s: int = 10) -> MemoryContainerHost:
        return MemoryContainerHost(self.at(access.url), engine_id=access.engine_id)

    def containers(self) -> list[FakeContainer]:
        """Of all machines, running or not."""
        return [
            container
            for machine in self.machines.values()
            for container in machine.containers.values()
        ]

    def knock(self, host: DockerHost, numbers: Iterable[int]) -> Knocked:
        """What listens there: a container, or another program."""
        machine, found = self.at(host.url), Knocked()
        listening = {number for _, number in machine.strangers}
        listening |= {row.spec.publish_port or 0 for row in machine.running()}
        listening -= machine.lost_ports
        if not machine.is_down and not machine.is_walled:
            found.answering = listening.intersection(numbers)
            found.refusing = set(numbers) - listening - machine.silent_ports
        return found

    def container_of(self, instance: ServiceInstance) -> FakeContainer:
        instance.refresh_from_db()
        row = instance.container
        return self.at(row.host.url).containers[row.name]

    def users_of(self, instance: ServiceInstance) -> list[str]:
        instance.refresh_from_db()
        return self.engine.users(hosts.endpoint(instance.container))


class FakeWorld:
    """For a TestCase: self.world stands in for Docker and MariaDB."""

    def setUp(self) -> None:
        super().setUp()
        self.world = World()
        self.faults = self.world.faults
        schemes, known = containers.SCHEMES, engines.ENGINES
        self.enterContext(mock.patch.dict(schemes, {"memory": self.world.connect}))
        self.enterContext(mock.patch.dict(known, {"mariadb": self.world.engine}))
        recipes = {"mariadb": self.world.recipe}
        self.enterContext(mock.patch.dict(hot.RECIPES, recipes))
        self.enterContext(mock.patch.object(ports, "knock", self.world.knock))


def drain(*, limit: int = 100) -> int:
    """Do what workers do until nothing is left to do; retries do not wait.

    Return how many attempts that took.
    """
    for attempts in range(limit):
        Operation.objects.unfinished().update(not_before=Now() - timedelta(hours=1))
        operation = Operation.objects.claim_next(WORKER)
        if operation is None:
            return attempts
        run(operation)
    raise AssertionError(f"there is still work after {limit} attempts")


def claim(operation: Operation, owner: str = WORKER) -> Operation:
    """The operation, fresh and claimed."""
    Operation.objects.filter(pk=operation.pk).update(
        not_before=Now() - timedelta(hours=1)
    )
    fresh = Operation.objects.get(pk=operation.pk)
    assert fresh.claim(owner)
    return fresh


def expire_leases() -> None:
    """As if every owner had been dead for long."""
    Operation.objects.filter(leased_until__isnull=False).update(
        leased_until=Now() - timedelta(seconds=1)
    )


def check_invariants(world: World) -> None:
    """FAILURES I1 and I2 at rest: containers, rows and leases are in step."""
    rows = Container.objects.exclude(state=Container.State.GONE)
    assert {row.name for row in rows} == {c.spec.name for c in world.containers()}
    for row in rows:
        assert row.state == Container.State.IN_USE, row.state
        assert world.at(row.host.url).containers[row.name].address == (
            row.host.publish_address,
            row.port,
        )
        assert ServiceInstance.objects.get(container=row).state == "ready"
    leased = PortLease.objects.filter(container__isnull=False)
    assert {lease.container_id for lease in leased} == {row.pk for row in rows}
