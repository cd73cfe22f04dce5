"""What was stopped by hand is made anew, and empty (I11, F49, F50)."""

from tests.chaos.scene import Scene

CATCHES = ("lost_data",)
WAIT_S = 8.0


def install() -> None:
    from instances.models import Finding
    from instances.operations import hosts
    from instances.operations.reconcile import Found, Seen
    from instances.operations.reconcile.settling import SETTLERS

    def start(seen: Seen, found: Found) -> None:
        row = found.row
        assert row is not None
        host = hosts.connect(row.host)
        host.remove(row.name)
        host.create(hosts.spec(row))
        host.start(row.name)

    SETTLERS[Finding.Kind.DOWN] = start


def play(scene: Scene) -> None:
    row, _ = scene.bound()
    scene.stop_by_hand(row)
