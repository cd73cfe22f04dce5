"""Unbind answers 200 and does nothing (I5)."""

from tests.chaos.scene import Scene

CATCHES = ("live_after_unbind",)
WAIT_S = 1.0


def install() -> None:
    from instances.operations import unbind

    unbind.drop_user = lambda container, binding: None


def play(scene: Scene) -> None:
    row, binding = scene.bound()
    scene.client.unbind(row, binding)
