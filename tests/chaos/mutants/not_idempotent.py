"""The same bind again is answered with another password (I7, F8)."""

from tests.chaos.scene import Scene

CATCHES = ("not_idempotent",)
WAIT_S = 0.0


def install() -> None:
    from instances.engines import new_secret
    from instances.models import ServiceBinding
    from instances.operations import bind

    def repeat(existing: ServiceBinding, wish: ServiceBinding) -> ServiceBinding:
        existing.credentials = {**existing.credentials, "password": new_secret()}
        return existing

    bind._repeat = repeat


def play(scene: Scene) -> None:
    row, binding = scene.bound()
    scene.client.bind_again(row, binding)
