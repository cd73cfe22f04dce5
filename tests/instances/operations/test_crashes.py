"""kill -9 at every point of every verb; then the lease runs out (FAILURES F22).

After it, a worker with nothing in its memory goes on.
"""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from instances.models import Operation, PortLease, ServiceBinding, ServiceInstance
from instances.operations import update
from instances.operations.execution import run
from instances.operations.expire import expire_overdue
from tests.fakes import (
    OFFERING_ID,
    Crash,
    check_invariants,
    claim,
    drain,
    expire_leases,
    make_plan,
)
from tests.instances.base import ACTOR
from tests.instances.crashing import CrashTestCase

LARGE = "plan-large"
WANTED = {"max_connections": 30}


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

    def begin_expiry(self, guid: str) -> Operation:
        self.bound(self.provisioned(guid))
        ServiceBinding.objects.update(expires_at=Now() - timedelta(seconds=1))
        expire_overdue()
        return claim(Operation.objects.unfinished().get())

    def begin_update(self, guid: str) -> Operation:
        _, operation = update.accept(
            guid=self.provisioned(guid).guid,
            offering_id=OFFERING_ID,
            plan_id=LARGE,
            wanted=WANTED,
            context={},
            maintenance_version="",
            actor=ACTOR,
        )
        return claim(operation)

    def test_an_update_is_done_wholly(self):
        """OSB 2.17, Updating: all of it or nothing."""
        make_plan(LARGE, memory_mb=300)
        for guid in self.crashes(self.begin_update):
            instance = ServiceInstance.objects.get_live(guid)
            assert (instance.plan_id, instance.parameters) == (LARGE, WANTED)
            assert self.world.engine.parameters[instance.database] == WANTED
            assert self.world.container_of(instance).spec.memory_mb == 300

    def test_an_expiry_ends_the_user(self):
        """I5."""
        for guid in self.crashes(self.begin_expiry):
            instance = ServiceInstance.objects.get_live(guid)
            assert self.world.users_of(instance) == []
            assert ServiceBinding.objects.get(instance=instance).state == "expired"

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
