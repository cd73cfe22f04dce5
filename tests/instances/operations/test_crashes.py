"""kill -9 at every point of every verb; then the lease runs out (FAILURES F22).

After it, a worker with nothing in its memory goes on.
"""

import pytest

from instances.models import Operation, PortLease, ServiceBinding, ServiceInstance
from instances.operations.execution import run
from tests.fakes import (
    Crash,
    check_invariants,
    claim,
    drain,
    expire_leases,
)
from tests.instances.crashing import CrashTestCase


class CrashTest(CrashTestCase):
    def begin_provision(self, guid: str) -> Operation:
        instance = self.accept_provision(guid)
        return claim(instance.operations.get())

    def begin_deprovision(self, guid: str) -> Operation:
        return claim(self.accept_deprovision(self.provisioned(guid)))

    def begin_bind(self, guid: str) -> Operation:
        return self.accept_bind(self.provisioned(guid))[1]

    def begin_unbind(self, guid: str) -> Operation:
        instance = self.provisioned(guid)
        self.bound(instance)
        return self.accept_unbind(instance)

    def test_a_provision_ends_with_one_container_that_answers(self):
        """F58, F63, I1, I2."""
        for guid in self.crashes(self.begin_provision):
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.state == "ready"
            container = self.world.container_of(instance)
            assert list(container.databases) == [instance.database]
            check_invariants(self.world)
        assert not PortLease.objects.filter(container=None).exists(), "a port is burnt"

    def test_a_deprovision_leaves_nothing(self):
        """F105."""
        for guid in self.crashes(self.begin_deprovision):
            assert ServiceInstance.objects.find_live(guid) is None
            check_invariants(self.world)

    def test_a_bind_leaves_no_ghost(self):
        """F66, I6: nobody was told the password, so the user goes."""
        for guid in self.crashes(self.begin_bind):
            instance = ServiceInstance.objects.get_live(guid)
            assert self.world.users_of(instance) == []
            assert ServiceBinding.objects.get(instance=instance).state == "gone"
            self.bound(instance)

    def test_an_unbind_ends_the_user(self):
        """I5."""
        for guid in self.crashes(self.begin_unbind):
            instance = ServiceInstance.objects.get_live(guid)
            assert self.world.users_of(instance) == []
            assert ServiceBinding.objects.get(instance=instance).state == "gone"

    def test_crashes_count_as_attempts(self):
        """F26: what kills every worker does not go on for ever."""
        instance = self.accept_provision()
        for _ in range(6):
            self.faults.on("start", Crash())
            with pytest.raises(Crash):
                run(claim(instance.operations.get()))
            expire_leases()
        drain()
        instance.refresh_from_db()
        assert instance.state == "failed"
        assert instance.operations.get().error
        self.assert_nothing_is_left()


write = Operation.write
