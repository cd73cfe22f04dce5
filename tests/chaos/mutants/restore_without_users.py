"""A restore lets nobody in who is bound today (I4, F98)."""

from tests.chaos.scene import Scene

CATCHES = ("dead_credentials",)
WAIT_S = 1.0


def install() -> None:
    from instances.operations import recreate_user, restore

    restore.let_in = lambda instance, container: None
    # What reconciliation would make good.
    recreate_user.accept = lambda binding: None


def play(scene: Scene) -> None:
    row, _ = scene.bound()
    assert scene.client.back_up(row)
    assert scene.client.restore(row, row.backups[0])
    assert row.restores
