"""The port is given back before its container is seen to be gone (I2, F105)."""

from datetime import timedelta

from tests.chaos.proxy import Action
from tests.chaos.scene import REMOVE, Scene

CATCHES = ("wrong_ports",)
WAIT_S = 1.0


def install() -> None:
    from instances.models import Container
    from instances.operations import hosts

    def remove(container: Container) -> None:
        lease = getattr(container, "lease", None)
        if lease is not None:
            lease.release(rest=timedelta())
        hosts.connect(container.host).remove(container.name)
        Container.objects.mark_gone(container)

    hosts.remove = remove


def play(scene: Scene) -> None:
    row = scene.provisioned()
    scene.arm(Action.DELAY, REMOVE, seconds=3)
    scene.client.delete(row)
