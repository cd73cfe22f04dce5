"""Unbind answers 200 though the database did not answer (I5, F71)."""

from tests.chaos.scene import Scene

CATCHES = ("live_after_unbind",)
WAIT_S = 8.0


def install() -> None:
    from instances import errors
    from instances.models import Container, ServiceBinding
    from instances.operations import ghosts, unbind

    drop = unbind.drop_user

    def drop_if_it_answers(container: Container, binding: ServiceBinding) -> None:
        try:
            drop(container, binding)
        except errors.EngineUnreachable:
            pass

    unbind.drop_user = drop_if_it_answers
    ghosts.PERIOD_MIN = 60  # its sweep would make it good


def play(scene: Scene) -> None:
    row, binding = scene.bound()
    scene.stop_by_hand(row)
    scene.client.unbind(row, binding)
