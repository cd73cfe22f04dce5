"""What was stopped by hand is made anew, and empty (I11, F49, F50)."""

from tests.chaos.scene import Scene

CATCHES = ("lost_data",)
WAIT_S = 8.0


def install() -> None:
    from instances.containers import ContainerStatus
    from instances.models import Container
    from instances.operations import hosts, reconcile

    def start(row: Container, status: ContainerStatus) -> None:
        host = hosts.connect(row.host)
        host.remove(row.name)
        host.create(hosts.spec(row))
        host.start(row.name)

    reconcile._start = start


def play(scene: Scene) -> None:
    row, _ = scene.bound()
    scene.stop_by_hand(row)
