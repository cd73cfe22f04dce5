"""What a database's container may do, read from a real Docker Engine."""

import json
import socket
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    Access,
    ContainerSpec,
    HostDescription,
)
from instances.containers.docker import DockerContainerHost
from instances.engines import Endpoint
from instances.engines.mariadb import MariaDB
from tests.docker import engine_under_test as real

SECRET = "canary-of-the-administrator"


def spec() -> ContainerSpec:
    identity = uuid.uuid4().hex
    return ContainerSpec(
        name=f"brokersite-test-{identity}",
        image=real.IMAGE,
        environment=MariaDB().environment(SECRET),
        port=3306,
        publish_address=real.ADDRESS,
        publish_port=real.next_port(),
        memory_mb=192,
        cpus=0.5,
        pids=77,
        labels={CONTAINER_LABEL: identity, BROKER_LABEL: real.BROKER_ID},
    )


def wait_until_ready(wanted: ContainerSpec) -> None:
    endpoint = Endpoint(wanted.publish_address, wanted.publish_port, SECRET)
    deadline = time.monotonic() + 30
    while True:
        try:
            return MariaDB().check(endpoint)
        except errors.EngineUnreachable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


class DockerTestCase(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(real.remove_all)
        cls.docker = real.client()
        cls.host = DockerContainerHost(Access(real.url()))

    @classmethod
    def start(cls) -> ContainerSpec:
        made = spec()
        cls.host.create(made)
        cls.host.start(made.name)
        wait_until_ready(made)
        return made


class InspectTest(DockerTestCase):
    """One started container, looked at from outside."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.spec = cls.start()
        cls.seen = cls.docker.api.inspect_container(cls.spec.name)
        cls.host_config = cls.seen["HostConfig"]

    def test_it_has_no_capability_and_gains_no_privilege(self):
        """S9."""
        assert self.host_config["CapDrop"] == ["ALL"]
        assert not self.host_config["CapAdd"]
        assert self.host_config["SecurityOpt"] == ["no-new-privileges"]
        assert not self.host_config["Privileged"]

    def test_its_process_really_has_none_and_is_not_root(self):
        """S9: /proc tells what the kernel holds."""
        container = self.docker.containers.get(self.spec.name)
        status = container.exec_run(["cat", "/proc/1/status"]).output.decode()
        lines = dict(line.split(":\t", 1) for line in status.splitlines())
        assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
        assert (lines["NoNewPrivs"], lines["Seccomp"]) == ("1", "2")
        assert "0" not in lines["Uid"].split()

    def test_memory_processes_and_cpus_are_limited(self):
        """S11: swap equals memory, so there is none."""
        assert self.host_config["Memory"] == 192 * 2**20
        assert self.host_config["MemorySwap"] == 192 * 2**20
        assert self.host_config["PidsLimit"] == 77
        assert self.host_config["NanoCpus"] == 500_000_000

    def test_its_log_is_limited(self):
        """S11."""
        config = self.host_config["LogConfig"]["Config"]
        assert set(config) >= {"max-size", "max-file"}

    def test_it_comes_back_after_a_crash_of_the_daemon(self):
        """F39, F40: unless-stopped would stay down for ever."""
        assert self.host_config["RestartPolicy"]["Name"] == "always"

    def test_no_path_device_or_namespace_of_the_host_is_in_it(self):
        """S17."""
        assert not self.seen["Mounts"]
        assert not self.host_config["Devices"]
        assert self.host_config["PidMode"] == ""
        assert self.host_config["IpcMode"] in ("private", "shareable")

    def test_only_its_port_is_published_and_only_on_the_address_of_the_spec(self):
        """S13, F55."""
        entry = {"HostIp": "127.0.0.1", "HostPort": str(self.spec.publish_port)}
        assert self.host_config["PortBindings"] == {"3306/tcp": [entry]}
        assert self.seen["NetworkSettings"]["Ports"] == {"3306/tcp": [entry]}
        assert not self.host_config["PublishAllPorts"]

    def test_its_network_lets_no_container_talk_to_another(self):
        """S12."""
        assert list(self.seen["NetworkSettings"]["Networks"]) == ["brokersite"]
        options = self.docker.api.inspect_network("brokersite")["Options"]
        assert options["com.docker.network.bridge.enable_icc"] == "false"

    def test_no_secret_is_in_anything_that_docker_shows(self):
        """S18, I14."""
        assert SECRET not in json.dumps(self.seen)
        log = self.docker.api.logs(self.spec.name).decode(errors="replace")
        assert SECRET not in log

    def test_a_commit_of_it_would_hold_its_data(self):
        """F85: no VOLUME in the image covers the data."""
        assert not self.docker.api.inspect_image(real.IMAGE)["Config"].get("Volumes")


class NeighboursTest(DockerTestCase):
    def test_two_databases_cannot_reach_each_other(self):
        """S12."""
        ours, theirs = self.start(), self.start()
        networks = self.docker.api.inspect_container(theirs.name)["NetworkSettings"]
        address = networks["Networks"]["brokersite"]["IPAddress"]
        assert self._connects(theirs, address), "it listens on this address"
        assert not self._connects(ours, address)

    def _connects(self, wanted: ContainerSpec, address: str) -> bool:
        command = ["timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{address}/3306"]
        return self.docker.containers.get(wanted.name).exec_run(command).exit_code == 0


class UnreachableTest(SimpleTestCase):
    def test_a_daemon_that_accepts_and_says_nothing_is_given_up_in_time(self):
        """F34: the kernel accepts for a stopped daemon."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "docker.sock"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen()
        started_at = time.monotonic()
        with pytest.raises(errors.HostUnreachable):
            DockerContainerHost(Access(f"unix://{path}"), timeout_s=1).describe()
        assert time.monotonic() - started_at < 5

    def test_a_closed_tcp_port_is_an_unreachable_host(self):
        """F32."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(errors.HostUnreachable) as caught:
            DockerContainerHost(
                Access(f"tcp://127.0.0.1:{port}"), timeout_s=1
            ).describe()
        assert str(port) in caught.value.detail
        assert str(port) not in str(caught.value)

    def test_a_client_that_failed_is_not_used_again(self):
        """F32: the daemon is back, and so is the host."""
        real.client()
        host = DockerContainerHost(Access(real.url()))
        assert isinstance(host.describe(), HostDescription)
        with pytest.raises(errors.HostUnreachable):
            DockerContainerHost(Access("unix:///no/such.sock")).describe()
        assert isinstance(host.describe(), HostDescription)


class ChangeTest(DockerTestCase):
    """What an update asks for."""

    def test_limits_change_while_it_runs_and_a_restart_keeps_it(self):
        made = self.start()
        wanted = replace(made, memory_mb=256, cpus=0.75, pids=88)
        self.host.limit(wanted)
        seen = self.docker.api.inspect_container(made.name)["HostConfig"]
        assert seen["Memory"] == seen["MemorySwap"] == 256 * 2**20
        assert (seen["NanoCpus"], seen["PidsLimit"]) == (750_000_000, 88)
        self.host.restart(made.name)
        wait_until_ready(made)

    def test_what_is_not_there_cannot_be_changed(self):
        missing = spec()
        for call in (lambda: self.host.limit(missing), self.restart(missing)):
            with pytest.raises(errors.ContainerFailed):
                call()

    def restart(self, missing: ContainerSpec):
        return lambda: self.host.restart(missing.name)
