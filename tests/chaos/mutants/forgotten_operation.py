"""What a killed worker had in hand is nobody's any more (I8, F22)."""

from tests.chaos.proxy import Action
from tests.chaos.scene import CREATE, Scene

CATCHES = ("stuck_operations",)
WAIT_S = 9.0


def install() -> None:
    from django.db.models.functions import Now

    from instances.models import Operation
    from instances.models.operation import OperationQuerySet

    def claimable(self: OperationQuerySet) -> OperationQuerySet:
        return self.filter(state=Operation.State.QUEUED, not_before__lte=Now())

    OperationQuerySet.claimable = claimable


def play(scene: Scene) -> None:
    row = scene.wish()
    scene.arm(Action.DELAY, CREATE, seconds=3)
    scene.client.ask(
        row, "PUT", "", {**row.ids, "organization_guid": "o", "space_guid": "s"}
    )
    scene.wait_for_call(Action.DELAY)
    for worker in scene.site.workers:
        worker.restart(0)
    scene.clear()
