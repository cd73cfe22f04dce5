"""What tests of drains share: all loops of the workers, round by round."""

from instances.models import BackupCopy, DockerHost
from instances.operations import backup_copies, drain, retention
from instances.operations.proof import prove_next
from instances.operations.standby import Standbys
from tests.fakes import drain as work
from tests.instances.base import ACTOR
from tests.instances.moves import Moves

ROUNDS = 12


class Drains(Moves):
    def start(self, *, at_once: int = 2, is_safe: bool = False) -> None:
        drain.accept(self.host, at_once=at_once, is_safe=is_safe, actor=ACTOR)

    def round(self) -> None:
        """What happens in a second or two."""
        Standbys().replenish()
        for host in DockerHost.objects.filter(state="draining"):
            drain.advance(host)
        work()
        self.reconcile()
        while prove_next():
            pass
        while copy := BackupCopy.objects.claim_next("worker"):
            backup_copies.perform(copy)
        retention.sweep()
        backup_copies.sweep()

    def rounds(self, number: int = ROUNDS) -> None:
        for _ in range(number):
            self.round()
