"""What tests of moves share: two hosts, and an instance on the first."""

from instances.models import (
    Container,
    DockerHost,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import move
from instances.operations.reconcile import reconcile
from tests.fakes import check_invariants, drain, make_host
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR


class Moves(BackupTestCase):
    """An instance on host one with a binding that has written a row; host two waits."""

    def setUp(self) -> None:
        super().setUp()
        self.other = make_host("two", memory_mb=self.host.memory_mb // 2)

    def moved(
        self, instance: ServiceInstance, host: DockerHost | None = None
    ) -> Operation:
        operation = move.accept(instance, host=host, actor=ACTOR, is_safe=False)
        drain()
        self.reconcile()
        operation.refresh_from_db()
        instance.refresh_from_db()
        return operation

    def reconcile(self) -> None:
        for host in DockerHost.objects.filter(problem=""):
            if not self.world.at(host.url).is_down:
                reconcile(host)

    def rows(self, binding: ServiceBinding) -> int:
        binding.refresh_from_db()
        return self.log_in(binding).count(binding.instance.database)

    def assert_as_before(self, instance: ServiceInstance, container: Container) -> None:
        instance.refresh_from_db()
        assert instance.container == container
        assert self.world.container_of(instance).restarts
        assert self.rows(self.binding) == 1
        assert self.world.users_of(instance) == [self.binding.username]
        assert "brokersite" not in self.world.container_of(instance).databases
        check_invariants(self.world)
