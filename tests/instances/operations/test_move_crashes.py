"""A worker that dies at any point of a move leaves one container and all data."""

from instances.models import (
    DockerHost,
    Operation,
    ServiceInstance,
)
from instances.operations import move
from tests.fakes import Crash, Refused, check_invariants, claim, drain
from tests.instances.base import ACTOR
from tests.instances.crashing import CrashTestCase
from tests.instances.moves import Moves


class CrashTest(Moves, CrashTestCase):
    """F22, F58: an app writes whenever it can; what was acknowledged stays (I3)."""

    def setUp(self) -> None:
        super().setUp()
        # A port that was given back rests.
        DockerHost.objects.update(memory_mb=10**6, port_max=25000)
        self.other.refresh_from_db()
        self.host.refresh_from_db()

    def begin(self, guid: str) -> Operation:
        self.plan.refresh_from_db()
        instance = self.filled(guid)
        self.written = 1
        there = self.other if instance.container.host == self.host else self.host
        self.target = there
        operation = move.accept(instance, host=there, actor=ACTOR, is_safe=self.is_safe)
        return claim(operation)

    is_safe = False

    def write(self) -> None:
        self.binding.refresh_from_db()
        try:
            self.log_in(self.binding).write(self.binding.instance.database)
            self.written += 1
        except Refused:
            pass

    def crash(self) -> None:
        self.write()
        raise Crash

    def forget(self, guid: str) -> None:
        self.accept_deprovision(ServiceInstance.objects.get_live(guid))
        drain()

    def test_every_crash_ends_with_one_container_there_and_all_data(self):
        for guid in self.crashes(self.begin):
            self.reconcile()
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.container.host == self.target
            assert self.rows(self.binding) == self.written
            assert self.world.users_of(instance) == [self.binding.username]
            check_invariants(self.world)


class GiveUpCrashTest(CrashTest):
    """The data does not arrive: whatever dies meanwhile, the old one serves on."""

    def begin(self, guid: str) -> Operation:
        operation = super().begin(guid)
        self.former = operation.instance.container
        deaf = {self.host.url: set(), self.other.url: set()}
        deaf[self.target.url] = {self.plan.image}
        for url, images in deaf.items():
            self.world.at(url).deaf_images = images
        return operation

    def test_every_crash_ends_with_one_container_there_and_all_data(self):
        for guid in self.crashes(self.begin):
            self.reconcile()
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.container == self.former
            assert self.world.container_of(instance).state == "running"
            assert self.rows(self.binding) == self.written
            assert self.world.users_of(instance) == [self.binding.username]
            assert instance.operations.get(kind="move").state == "failed"
            check_invariants(self.world)
            for url in (self.host.url, self.other.url):
                self.world.at(url).deaf_images = set()
