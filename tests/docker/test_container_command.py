"""A container's command, on every container host."""

import uuid

from django.test import SimpleTestCase

from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    Access,
    ContainerHost,
    ContainerSpec,
)
from instances.containers.docker import DockerContainerHost
from tests.docker import engine_under_test as real
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.faults import Faults
from tests.fakes.machine import Machine


class CommandContract:
    """Facts; a subclass gives host and command_of()."""

    host: ContainerHost

    def created(self, *command: str) -> ContainerSpec:
        identity = uuid.uuid4().hex
        spec = ContainerSpec(
            name=f"brokersite-test-{identity}",
            image=real.IMAGE,
            command=command,
            environment={},
            port=3306,
            publish_address=real.ADDRESS,
            publish_port=real.next_port(),
            memory_mb=64,
            cpus=1.0,
            pids=50,
            labels={CONTAINER_LABEL: identity, BROKER_LABEL: real.BROKER_ID},
        )
        self.host.create(spec)
        return spec

    def test_it_is_handed_over_word_by_word(self):
        """S34: no shell takes it apart."""
        words = ("--a", "b c", "$HOME", "`id`", "")
        assert self.command_of(self.created(*words)) == list(words)

    def test_without_one_it_is_the_images(self):
        assert self.command_of(self.created()) == []


class MemoryCommandTest(CommandContract, SimpleTestCase):
    databases = {"default"}

    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(Faults())
        self.host = MemoryContainerHost(self.machine)

    def command_of(self, spec: ContainerSpec) -> list[str]:
        return list(self.machine.containers[spec.name].spec.command)


class DockerCommandTest(CommandContract, SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(real.remove_all)
        self.docker = real.client()
        self.host = DockerContainerHost(Access(real.url()))

    def command_of(self, spec: ContainerSpec) -> list[str]:
        found = self.docker.api.inspect_container(spec.name)["Config"]["Cmd"]
        return list(found or [])
