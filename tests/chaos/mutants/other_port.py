"""Databases are published on other ports than those that are leased (I2)."""

from dataclasses import replace

from tests.chaos.scene import Scene

CATCHES = ("leaked_ports",)
WAIT_S = 1.0
FURTHER = 500


def install() -> None:
    from instances.containers import ContainerSpec
    from instances.engines import Endpoint
    from instances.models import Container
    from instances.operations import hosts

    make, find = hosts.spec, hosts.endpoint

    def spec(container: Container) -> ContainerSpec:
        made = make(container)
        return replace(made, publish_port=(made.publish_port or 0) + FURTHER)

    def endpoint(container: Container) -> Endpoint:
        found = find(container)
        return replace(found, port=found.port + FURTHER)

    hosts.spec, hosts.endpoint = spec, endpoint


def play(scene: Scene) -> None:
    scene.provisioned()
