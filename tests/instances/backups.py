"""What tests of backups share: an instance with a row in it, and its backups."""

from instances.models import Backup, ServiceInstance
from instances.operations import back_up
from instances.operations.proof import prove_next
from tests.fakes import drain
from tests.instances.base import ACTOR, DomainTestCase

OPERATOR = {"trigger": "operator", "actor": ACTOR}


class BackupTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plan.final_backup_days = 0
        self.plan.save()

    def filled(self, guid: str = "i-1") -> ServiceInstance:
        """An instance with a binding that has written one row."""
        instance = self.provisioned(guid)
        self.binding = self.bound(instance)
        self.log_in(self.binding).write(instance.database)
        return instance

    def backed_up(self, instance: ServiceInstance) -> Backup:
        backup = back_up.accept(instance, **OPERATOR)
        drain()
        backup.refresh_from_db()
        return backup

    def verified(self, instance: ServiceInstance) -> Backup:
        backup = self.backed_up(instance)
        while prove_next():
            pass
        backup.refresh_from_db()
        assert backup.state == "verified", backup.problem
        return backup

    def images(self) -> set[str]:
        return set(self.world.machine.listed())
