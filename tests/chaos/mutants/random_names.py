"""Containers are created under a name of the moment, and renamed then (I1, F37)."""

import uuid
from dataclasses import replace

from tests.chaos.proxy import Action
from tests.chaos.scene import CREATE, Scene

CATCHES = ("leaked_containers",)
WAIT_S = 6.0


def install() -> None:
    from instances.containers import ContainerSpec
    from instances.containers.docker import DockerContainerHost

    create = DockerContainerHost.create

    def create_and_rename(self: DockerContainerHost, spec: ContainerSpec) -> None:
        name = f"{spec.name}-{uuid.uuid4().hex[:8]}"
        create(self, replace(spec, name=name))
        with self._changing() as api:
            api.rename(name, spec.name)

    DockerContainerHost.create = create_and_rename


def play(scene: Scene) -> None:
    scene.arm(Action.DROP_AFTER, CREATE)
    scene.provisioned()
    scene.clear()
