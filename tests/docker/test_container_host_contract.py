"""What every container host does, said once and run against each."""

import socket
import time
import uuid
from dataclasses import replace

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    Access,
    ContainerHost,
    ContainerSpec,
    ContainerStatus,
)
from instances.containers.docker import DockerContainerHost
from instances.engines.mariadb import MariaDB
from tests.docker import engine_under_test as real
from tests.docker.looking_contract import LookingContract
from tests.docker.measuring_contract import MeasuringContract
from tests.docker.watching_contract import WatchingContract
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.faults import Faults
from tests.fakes.machine import Machine

NOISE = "quiet\n\x1b[31mred\x1b[0m\x07 bell\n\u009b32mgreen\n"


class ContainerHostContract(LookingContract, MeasuringContract, WatchingContract):
    """Facts; a subclass gives host, unreachable_host() and what looks inside."""

    host: ContainerHost

    def setUp(self) -> None:
        super().setUp()
        self.broker_id = real.BROKER_ID

    def spec(self, **changes: object) -> ContainerSpec:
        identity = uuid.uuid4().hex
        made = ContainerSpec(
            name=f"brokersite-test-{identity}",
            image=real.IMAGE,
            environment=MariaDB().environment("an admin secret"),
            port=3306,
            publish_address=real.ADDRESS,
            publish_port=real.next_port(),
            memory_mb=256,
            cpus=1.0,
            pids=100,
            labels={CONTAINER_LABEL: identity, BROKER_LABEL: self.broker_id},
        )
        return replace(made, **changes)

    def created(self, **changes: object) -> ContainerSpec:
        spec = self.spec(**changes)
        self.host.create(spec)
        return spec

    def started(self, **changes: object) -> ContainerSpec:
        spec = self.created(**changes)
        self.host.start(spec.name)
        return spec

    def find(self, spec: ContainerSpec) -> ContainerStatus:
        status = self.host.find(spec.name)
        assert status is not None
        return status

    def names(self) -> set[str]:
        return {status.name for status in self.host.list(broker_id=self.broker_id)}

    def test_a_created_container_does_not_run(self):
        spec = self.created()
        status = self.find(spec)
        assert (status.state, status.image) == ("created", spec.image)
        assert dict(status.labels).items() >= dict(spec.labels).items()

    def test_creating_again_keeps_the_container(self):
        """F36, F37: the answer to the first request was lost."""
        spec = self.created()
        before = self.identity(spec)
        self.host.create(spec)
        assert self.identity(spec) == before

    def test_creating_again_leaves_a_running_container_alone(self):
        spec = self.started()
        self.host.create(spec)
        assert self.find(spec).is_running

    def test_creating_again_with_another_port_replaces_the_container(self):
        spec = self.started()
        before = self.identity(spec)
        moved = replace(spec, publish_port=real.next_port())
        self.host.create(moved)
        self.host.start(moved.name)
        assert self.identity(moved) != before
        assert self.is_published(moved)
        assert not self.is_published(spec)

    def test_a_container_of_others_with_the_name_is_left_alone(self):
        """F51: the label tells whose it is, not the name."""
        theirs = self.created(labels={BROKER_LABEL: self.broker_id})
        before = self.identity(theirs)
        ours = replace(theirs, labels={**theirs.labels, CONTAINER_LABEL: "ours"})
        with pytest.raises(errors.ContainerFailed, match="could not be started"):
            self.host.create(ours)
        assert self.identity(theirs) == before

    def test_a_missing_image_is_told_and_leaves_nothing(self):
        """F47."""
        spec = self.spec(image="brokersite/no-such-image:1")
        with pytest.raises(errors.ImageMissing) as caught:
            self.host.create(spec)
        assert spec.image in caught.value.detail
        assert self.host.find(spec.name) is None

    def test_a_started_container_runs_and_is_published(self):
        spec = self.started()
        assert self.find(spec).is_running
        assert self.is_published(spec)

    def test_starting_again_changes_nothing(self):
        """F36: 304 on start is success."""
        spec = self.started()
        self.host.start(spec.name)
        assert self.find(spec).is_running

    def test_a_port_of_another_container_is_taken_at_start_not_at_create(self):
        """F54."""
        first = self.started()
        second = self.created(publish_port=first.publish_port)
        with pytest.raises(errors.PortTaken):
            self.host.start(second.name)
        assert self.find(first).is_running
        assert not self.find(second).is_running

    def test_a_port_of_another_program_is_taken(self):
        """F54."""
        spec = self.created()
        self.occupy(spec.publish_address, spec.publish_port)
        with pytest.raises(errors.PortTaken):
            self.host.start(spec.name)

    def test_a_container_whose_port_was_taken_can_be_removed(self):
        first = self.started()
        second = self.created(publish_port=first.publish_port)
        with pytest.raises(errors.PortTaken):
            self.host.start(second.name)
        self.host.remove(second.name)
        assert self.host.find(second.name) is None

    def test_a_running_container_is_removed(self):
        spec = self.started()
        self.host.remove(spec.name)
        assert self.host.find(spec.name) is None
        assert not self.is_published(spec)

    def test_removing_again_is_fine(self):
        """F36: 404 on remove is success."""
        spec = self.created()
        self.host.remove(spec.name)
        self.host.remove(spec.name)

    def test_the_port_of_a_removed_container_is_free(self):
        first = self.started()
        self.host.remove(first.name)
        second = self.started(publish_port=first.publish_port)
        assert self.find(second).is_running

    def test_a_container_that_exits_shows_its_code(self):
        """F60."""
        spec = self.started_failing(exit_code=64)
        deadline = time.monotonic() + 20
        while self.find(spec).exit_code != 64:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_logs_hold_no_control_characters(self):
        """S44, S50: ANSI and C1 sequences would reach terminals and logs."""
        spec = self.started()
        self.write_log(spec, NOISE)
        text = self.host.logs(spec.name, lines=20)
        assert "quiet\n" in text and "red bell\n" in text and "green" in text
        assert not [c for c in text if c != "\n" and not c.isprintable()]

    def test_logs_are_the_last_lines(self):
        spec = self.started()
        self.write_log(spec, "first\nsecond\nthird\n")
        assert self.host.logs(spec.name, lines=2) == "second\nthird\n"

    def test_logs_of_an_unknown_name_are_empty(self):
        assert self.host.logs("brokersite-test-nobody", lines=5) == ""

    def test_every_call_to_a_dead_host_says_that_it_is_unreachable(self):
        """F32."""
        host, spec = self.unreachable_host(), self.spec()
        calls = [
            host.describe,
            lambda: host.create(spec),
            lambda: host.start(spec.name),
            lambda: host.restart(spec.name),
            lambda: host.limit(spec),
            lambda: host.find(spec.name),
            lambda: host.list(broker_id=self.broker_id),
            lambda: host.remove(spec.name),
            lambda: host.logs(spec.name, lines=1),
        ]
        for call in calls:
            with pytest.raises(errors.HostUnreachable):
                call()


class MemoryContainerHostTest(ContainerHostContract, SimpleTestCase):
    databases = {"default"}

    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(Faults())
        self.host = MemoryContainerHost(self.machine)

    def unreachable_host(self) -> ContainerHost:
        return MemoryContainerHost(Machine(Faults(), is_down=True))

    def identity(self, spec: ContainerSpec) -> object:
        return self.machine.containers[spec.name]

    def is_published(self, spec: ContainerSpec) -> bool:
        address = spec.publish_address, spec.publish_port
        return address in [row.address for row in self.machine.running()]

    def occupy(self, address: str, port: int) -> None:
        self.machine.strangers.add((address, port))

    def started_failing(self, exit_code: int) -> ContainerSpec:
        self.machine.failing_images[real.IMAGE] = exit_code
        return self.started()

    def write_log(self, spec: ContainerSpec, text: str) -> None:
        self.machine.containers[spec.name].log += text

    def grow(self, spec: ContainerSpec, size: int) -> None:
        self.machine.containers[spec.name].size += size


class DockerContainerHostTest(ContainerHostContract, SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.docker = real.client()

    def setUp(self) -> None:
        super().setUp()
        self.broker_id = f"{real.BROKER_ID}-{uuid.uuid4().hex[:8]}"
        self.addCleanup(real.remove_all, self.broker_id)
        self.addCleanup(real.remove_all, f"{self.broker_id}-other")
        self.host = DockerContainerHost(Access(real.url()))

    def unreachable_host(self) -> ContainerHost:
        return DockerContainerHost(Access("unix:///no/such.sock"), timeout_s=2)

    def identity(self, spec: ContainerSpec) -> object:
        return self.docker.containers.get(spec.name).id

    def is_published(self, spec: ContainerSpec) -> bool:
        address = spec.publish_address, spec.publish_port
        with socket.socket() as connection:
            return connection.connect_ex(address) == 0

    def occupy(self, address: str, port: int) -> None:
        listener = socket.create_server((address, port))
        self.addCleanup(listener.close)

    def started_failing(self, exit_code: int) -> ContainerSpec:
        assert exit_code == 64, "the image's answer to a wrong verifier"
        return self.started(environment={"ADMIN_HASH": "not a verifier"})

    def write_log(self, spec: ContainerSpec, text: str) -> None:
        """As the container's own process would."""
        container = self.docker.containers.get(spec.name)
        time.sleep(1.5)  # until the server has said all it has to say at start
        script = ["bash", "-c", 'printf %s "$TEXT" >/proc/1/fd/1']
        result = container.exec_run(script, environment={"TEXT": text})
        assert result.exit_code == 0, result.output

    def grow(self, spec: ContainerSpec, size: int) -> None:
        command = ["dd", "if=/dev/zero", "of=/tmp/f", f"bs={size}", "count=1"]
        result = self.docker.containers.get(spec.name).exec_run(command)
        assert result.exit_code == 0, result.output
