"""A service instance that begins with a backup, killed at every point."""

from instances.models import Operation, ServiceInstance
from instances.operations.reconcile import reconcile
from tests.fakes import check_invariants, claim
from tests.instances.backups import BackupTestCase
from tests.instances.crashing import CrashTestCase


class CrashTest(BackupTestCase, CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backup = self.verified(self.filled("source"))

    def begin(self, guid: str) -> Operation:
        parameters = {"restore_from": {"backup": str(self.backup.pk)}}
        instance = self.accept_provision(guid, parameters=parameters)
        return claim(instance.operations.get())

    def test_every_crash_ends_with_one_container_that_has_the_data(self):
        """F22, F58, I1: and with no user of the source."""
        for guid in self.crashes(self.begin):
            reconcile(self.host)
            instance = ServiceInstance.objects.get_live(guid)
            assert instance.state == "ready", instance.operations.get().detail
            assert self.world.users_of(instance) == []
            binding = self.bound(instance)
            assert self.log_in(binding).count(instance.database) == 1
            check_invariants(self.world)
