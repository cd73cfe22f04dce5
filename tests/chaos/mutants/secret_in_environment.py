"""The administrator's password is in the container's environment (I14, S13)."""

from dataclasses import replace

from tests.chaos.scene import Scene

CATCHES = ("secrets",)
WAIT_S = 0.0


def install() -> None:
    from instances.containers import ContainerSpec
    from instances.models import Container
    from instances.operations import hosts

    make = hosts._spec

    def tell(container: Container) -> ContainerSpec:
        spec = make(container)
        more = {"ADMIN_PASSWORD": container.admin_secret}
        return replace(spec, environment={**spec.environment, **more})

    hosts._spec = tell


def play(scene: Scene) -> None:
    scene.provisioned()
