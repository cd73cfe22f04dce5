"""The first pass after a long time in which nobody has looked."""

from dataclasses import replace
from unittest import mock

from instances import errors
from instances.models import Container
from instances.operations import starting
from instances.operations.reconcile import reconcile
from tests.fakes import check_invariants, drain
from tests.fakes.containers import MemoryContainerHost
from tests.instances.base import DomainTestCase


class AfterwardsTest(DomainTestCase):
    def test_what_happened_meanwhile_is_put_right_at_once(self):
        """F128: one stopped, one paused, one that should be gone and is back."""
        stopped, paused, deleted = map(self.provisioned, ("i-1", "i-2", "i-3"))
        late = self.world.container_of(deleted)
        self.accept_deprovision(deleted)
        drain()
        self.world.machine.containers[late.spec.name] = late
        self.world.container_of(stopped).state = "exited"
        self.world.container_of(paused).state = "paused"
        reconcile(self.host)
        assert {row.state for row in self.world.containers()} == {"running"}
        check_invariants(self.world)


class MemoryTest(DomainTestCase):
    def test_one_killed_for_its_memory_says_so(self):
        """F48: to the operator, of a start that does not come to its end."""
        instance = self.provisioned()
        container = Container.objects.get(pk=instance.container_id)
        find = MemoryContainerHost.find

        def find_killed(host: MemoryContainerHost, name: str):
            status = find(host, name)
            killed = {"state": "exited", "exit_code": 137, "out_of_memory": True}
            return replace(status, **killed)

        with mock.patch.object(MemoryContainerHost, "find", find_killed):
            with self.assertRaises(errors.ContainerFailed) as raised:
                starting._refuse_dead(container)
        assert "exit code 137, out of memory" in raised.exception.detail
