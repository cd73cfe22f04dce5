"""Whoever has lost an operation goes on with it (I10, F12, F24)."""

from tests.chaos.proxy import Action
from tests.chaos.scene import CREATE, Scene

CATCHES = ("leaked_containers", "stuck_operations", "tracebacks")
WAIT_S = 4.0


def install() -> None:
    from typing import Any

    from instances.models import Operation

    def write(self: Operation, **changes: Any) -> None:
        Operation.objects.filter(pk=self.pk).update(**changes)
        for name, value in changes.items():
            setattr(self, name, value)
        self.forget("leased_until", "not_before", "finished_at")

    Operation.write = write


def play(scene: Scene) -> None:
    row = scene.wish()
    scene.arm(Action.DELAY, CREATE, seconds=3)
    asking = scene.meanwhile(lambda: scene.client.provision(row))
    scene.wait_for_call(Action.DELAY)
    scene.client.delete(row)
    scene.clear()
    asking.join()
    scene.pause(3)
