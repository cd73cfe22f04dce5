"""A platform that remembers what it was told, and holds the broker to it.

What operators do behind its back is here too.
"""

from typing import Any

from instances import errors
from instances.models import ServiceInstance
from instances.operations import force
from instances.operations.levels import Level
from tests.instances.base import ACTOR
from tests.stateful.changes import Changes
from tests.stateful.stage import Stage


class Client(Changes):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.forgotten: set[Any] = set()
        """Containers that may be there still, on a host that was given up."""

    def force(self, guid: str, level: Level) -> bool:
        """An operator deletes it, and the platform finds out (F109, F110).

        Whether that has changed anything.
        """
        told, instance = self.told[guid], ServiceInstance.objects.find_live(guid)
        if told.state == "absent" or instance is None:
            return False
        containers = list(force.containers_of(instance))
        lost = [row.host for row in containers if row.host.problem]
        try:
            operation, is_new = force.accept(
                instance, level, actor=ACTOR, reason="gone"
            )
        except errors.InvalidRequest:
            assert level == Level.FORGET and not lost, "it can be forced"
            return False
        assert level != Level.FORGET or lost, "its host answers"
        if level == Level.FORGET:
            self.forgotten |= {row.pk for row in containers}
        told.state, told.operation = "deleting", str(operation.pk)
        told.is_forced = True
        return is_new

    def keep_standbys(self, number: int | None) -> None:
        """What the plan wants; None: as before."""
        if number is None:
            return
        type(self.stage.plan).objects.filter(pk=self.stage.plan.pk).update(
            standby=number
        )
