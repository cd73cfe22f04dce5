"""What Docker creates late is not swept (I10, F35, F112)."""

from tests.chaos.proxy import Action
from tests.chaos.scene import CREATE, Scene

CATCHES = ("leaked_containers",)
WAIT_S = 8.0


def install() -> None:
    from instances.models import Finding
    from instances.operations.reconcile.settling import SETTLERS

    SETTLERS[Finding.Kind.UNWANTED] = lambda seen, found: None


def play(scene: Scene) -> None:
    row = scene.wish()
    scene.arm(Action.LATE, CREATE, times=9, seconds=4)
    asking = scene.meanwhile(lambda: scene.client.provision(row))
    scene.wait_for_call(Action.LATE)
    scene.client.delete(row)
    scene.clear()
    asking.join()
    scene.pause(4)
