"""A commit whose answer was lost is made again, and nobody sweeps (I1, F89, F133)."""

from tests.chaos.proxy import Action
from tests.chaos.scene import COMMIT, Scene

CATCHES = ("leaked_images",)
WAIT_S = 8.0


def install() -> None:
    from instances.operations import back_up, backup_images

    back_up._is_there = lambda work, backup, container: False
    backup_images.compare = lambda host: None


def play(scene: Scene) -> None:
    row, _ = scene.bound()
    scene.arm(Action.DROP_AFTER, COMMIT)
    assert scene.client.back_up(row)
    scene.clear()
