"""Bind answers with credentials that the database never got (I4, F66)."""

from tests.chaos.scene import Scene

CATCHES = ("dead_credentials",)
WAIT_S = 8.0


def install() -> None:
    from instances import errors
    from instances.engines import Endpoint, User
    from instances.engines.redis import Redis
    from instances.operations import recreate_user

    create = Redis.create_user

    def create_if_it_answers(self: Redis, endpoint: Endpoint, user: User) -> None:
        try:
            create(self, endpoint, user)
        except errors.EngineUnreachable:
            pass

    Redis.create_user = create_if_it_answers
    # What reconciliation would make good.
    recreate_user.accept = lambda binding: None


def play(scene: Scene) -> None:
    row = scene.provisioned()
    scene.stop_by_hand(row)
    scene.client.bind(row)
