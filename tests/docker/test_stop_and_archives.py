"""What a swap asks of each container host: stop, archives, discard."""

import io
import tarfile
import time

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import Access, ContainerHost, ContainerSpec
from instances.containers.docker import DockerContainerHost
from instances.engines.mariadb import MariaDB
from tests.docker import engine_under_test as real
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.faults import Faults
from tests.fakes.machine import Machine

CONTENT = b"what is in the file" * 1000


def tar_of(name: str, content: bytes, *, uid: int = 999) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.uid, member.gid = len(content), uid, uid
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class ArchiveContract:
    """Facts; a subclass gives host."""

    host: ContainerHost

    def created(self) -> ContainerSpec:
        spec = real.spec_of(MariaDB(), "an admin secret")
        self.host.create(spec)
        return spec

    def state(self, spec: ContainerSpec) -> str:
        status = self.host.find(spec.name)
        assert status is not None
        return status.state

    def test_a_file_comes_out_as_it_went_in_with_its_owner(self):
        spec = self.created()
        sent = tar_of("note", CONTENT)
        self.host.write_archive(spec.name, MariaDB.incoming_path, iter([sent]))
        path = f"{MariaDB.incoming_path}/note"
        packed = io.BytesIO(b"".join(self.host.read_archive(spec.name, path)))
        with tarfile.open(fileobj=packed) as archive:
            (member,) = archive.getmembers()
            assert archive.extractfile(member).read() == CONTENT

    def test_the_data_of_a_stopped_container_can_be_read(self):
        spec = self.created()
        self.host.start(spec.name)
        self.host.stop(spec.name, limit_s=10)
        chunks = self.host.read_archive(spec.name, MariaDB.data_path)
        assert sum(map(len, chunks)) > 0

    def test_a_reading_that_is_broken_off_lets_go_of_the_container(self):
        spec = self.created()
        self.host.start(spec.name)
        self.host.stop(spec.name, limit_s=10)
        chunks = self.host.read_archive(spec.name, MariaDB.data_path)
        next(chunks)
        chunks.close()
        self.host.start(spec.name)
        assert self.state(spec) == "running"

    def test_what_does_not_exist_is_named(self):
        spec = self.created()
        with pytest.raises(errors.ContainerFailed) as caught:
            list(self.host.read_archive(spec.name, "/no/such/file"))
        assert "/no/such/file" in caught.value.detail
        with pytest.raises(errors.ContainerFailed):
            list(self.host.read_archive("brokersite-test-none", "/etc"))
        with pytest.raises(errors.ContainerFailed):
            self.host.write_archive("brokersite-test-none", "/etc", [tar_of("a", b"")])

    def test_an_error_while_sending_is_the_sender_s(self):
        """The fence of an attempt is asked between two chunks."""
        spec = self.created()

        def chunks():
            yield tar_of("note", CONTENT)[:512]
            raise errors.LeaseLost

        with pytest.raises(errors.LeaseLost):
            self.host.write_archive(spec.name, MariaDB.incoming_path, chunks())

    def test_a_stopped_container_stays_so_until_it_is_started(self):
        spec = self.created()
        self.host.start(spec.name)
        self.host.stop(spec.name, limit_s=10)
        self.host.stop(spec.name, limit_s=10)
        assert self.state(spec) == "exited"
        assert not self.restarts(spec)
        self.host.limit(spec)
        self.host.start(spec.name)
        assert self.state(spec) == "running"
        assert self.restarts(spec)

    def test_discarding_takes_what_has_never_run(self):
        """So that no attempt that wakes up late can start it."""
        created, started, stopped = self.created(), self.created(), self.created()
        self.host.start(started.name)
        self.host.start(stopped.name)
        self.host.stop(stopped.name, limit_s=10)
        assert self.host.discard(created.name)
        assert self.host.discard(created.name)
        assert self.host.find(created.name) is None
        assert not self.host.discard(started.name)
        assert self.state(started) == "running"
        assert not self.host.discard(stopped.name)
        assert self.state(stopped) == "exited"

    def test_stopping_what_is_gone_is_an_error(self):
        with pytest.raises(errors.ContainerFailed):
            self.host.stop("brokersite-test-none", limit_s=1)


class MemoryArchiveTest(ArchiveContract, SimpleTestCase):
    databases = {"default"}

    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(Faults())
        self.host = MemoryContainerHost(self.machine)

    def restarts(self, spec: ContainerSpec) -> bool:
        return self.machine.containers[spec.name].restarts


class DockerArchiveTest(ArchiveContract, SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.docker = real.client()
        self.addCleanup(real.remove_all)
        self.host = DockerContainerHost(Access(real.url()))

    def restarts(self, spec: ContainerSpec) -> bool:
        """What a daemon that restarts would do."""
        config = self.docker.api.inspect_container(spec.name)["HostConfig"]
        return config["RestartPolicy"]["Name"] == "always"

    def test_owners_are_kept_by_number(self):
        """A name would be looked up on the host (DOCKER-LIMITS 5)."""
        spec = self.created()
        sent = tar_of("note", CONTENT, uid=4711)
        self.host.write_archive(spec.name, MariaDB.incoming_path, iter([sent]))
        path = f"{MariaDB.incoming_path}/note"
        packed = io.BytesIO(b"".join(self.host.read_archive(spec.name, path)))
        with tarfile.open(fileobj=packed) as archive:
            (member,) = archive.getmembers()
        assert (member.uid, member.gid) == (4711, 4711)

    def test_the_server_is_stopped_in_order(self):
        spec = self.created()
        self.host.start(spec.name)
        time.sleep(1)
        self.host.stop(spec.name, limit_s=20)
        status = self.host.find(spec.name)
        assert status is not None and status.exit_code == 0
