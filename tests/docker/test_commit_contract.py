"""Backup images on each container host: the contract, and what only Docker has."""

import io
import time
import uuid
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import (
    BROKER_LABEL,
    Access,
    ContainerHost,
    ContainerSpec,
    docker_commits,
)
from instances.containers.archives import packed
from instances.containers.docker import DockerContainerHost
from instances.engines.mariadb import MariaDB
from tests.docker import engine_under_test as real
from tests.docker.commit_contract import CommitContract
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.faults import Faults
from tests.fakes.machine import Machine

LATE_LIMIT_S = 60


class MemoryCommitTest(CommitContract, SimpleTestCase):
    databases = {"default"}

    def setUp(self) -> None:
        super().setUp()
        self.broker_id = real.BROKER_ID
        self.machine = Machine(Faults())
        self.host = MemoryContainerHost(self.machine)

    def created(self, **changes: object) -> ContainerSpec:
        spec = replace(real.spec_of(MariaDB(), "an admin secret"), **changes)
        self.host.create(spec)
        return spec

    def unreachable_host(self) -> ContainerHost:
        return MemoryContainerHost(Machine(Faults(), is_down=True))

    def labels_of(self, reference: str) -> dict[str, str]:
        return self.machine.backups[reference].labels

    def write(self, spec: ContainerSpec, text: str) -> None:
        self.machine.containers[spec.name].databases.setdefault("d", []).append(text)

    def holds(self, spec: ContainerSpec, text: str) -> bool:
        return text in self.machine.containers[spec.name].databases["d"]

    def pause(self, spec: ContainerSpec) -> None:
        self.machine.containers[spec.name].state = "paused"

    def mounted(self, kind: str, path: str) -> ContainerSpec:
        spec = self.created()
        self.machine.containers[spec.name].mounts = (path,)
        return spec

    def networks(self, spec: ContainerSpec) -> list[str]:
        address = self.machine.containers[spec.name].address
        return [str(address)] if address[1] else []

    def restarts(self, spec: ContainerSpec) -> bool:
        return self.machine.containers[spec.name].restarts


class DockerCommitTest(CommitContract, SimpleTestCase):
    """The containers run no database, only what writes and waits."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.docker = real.client()
        cls.tag = f"brokersite-test-idle:{uuid.uuid4().hex}"
        recipe = f'FROM {real.IMAGES["redis"]}\nENTRYPOINT ["sleep", "600"]\n'
        context = io.BytesIO(recipe.encode())
        cls.docker.images.build(fileobj=context, tag=cls.tag, rm=True)
        cls.addClassCleanup(cls.docker.images.remove, cls.tag)

    def setUp(self) -> None:
        super().setUp()
        self.broker_id = f"{real.BROKER_ID}-{uuid.uuid4().hex[:8]}"
        for broker_id in (self.broker_id, f"{self.broker_id}-other"):
            self.addCleanup(real.remove_backups, broker_id)
            self.addCleanup(real.remove_all, broker_id)
        self.host = DockerContainerHost(Access(real.url()))

    def created(self, **changes: object) -> ContainerSpec:
        spec = real.spec_of(MariaDB(), "an admin secret", image=self.tag)
        labels = {**spec.labels, BROKER_LABEL: self.broker_id}
        made = replace(spec, **{"labels": labels, "memory_mb": 64, **changes})
        self.host.create(made)
        return made

    def unreachable_host(self) -> ContainerHost:
        return DockerContainerHost(Access("unix:///no/such.sock"), timeout_s=2)

    def container(self, spec: ContainerSpec) -> Any:
        return self.docker.containers.get(spec.name)

    def seen(self, spec: ContainerSpec) -> Any:
        return self.docker.api.inspect_container(spec.name)

    def labels_of(self, reference: str) -> dict[str, str]:
        found = self.docker.api.inspect_image(reference)["Config"]["Labels"]
        return dict(found)

    def write(self, spec: ContainerSpec, text: str) -> None:
        files = packed([(text, b"")], uid=0, gid=0)
        self.host.write_archive(spec.name, "/run", files)

    def holds(self, spec: ContainerSpec, text: str) -> bool:
        try:
            return bool(list(self.host.read_archive(spec.name, f"/run/{text}")))
        except errors.ContainerFailed:
            return False

    def pause(self, spec: ContainerSpec) -> None:
        self.container(spec).pause()

    def mounted(self, kind: str, path: str) -> ContainerSpec:
        """As an image with VOLUME, or an operator by hand, would have it."""
        spec = real.spec_of(MariaDB(), "an admin secret", image=self.tag)
        self.docker.containers.create(
            spec.image,
            name=spec.name,
            labels={**spec.labels, BROKER_LABEL: self.broker_id},
            volumes=[path] if kind == "volume" else None,
            tmpfs={path: ""} if kind == "tmpfs" else None,
        )
        return spec

    def networks(self, spec: ContainerSpec) -> list[str]:
        seen = self.seen(spec)
        assert not any(seen["NetworkSettings"]["Ports"].values())
        return [name for name in seen["NetworkSettings"]["Networks"] if name != "none"]

    def restarts(self, spec: ContainerSpec) -> bool:
        return self.seen(spec)["HostConfig"]["RestartPolicy"]["Name"] == "always"

    def pauses_of(self, spec: ContainerSpec, since: float) -> int:
        """How often Docker has paused it since."""
        filters = {"container": spec.name, "event": "pause"}
        until = time.time()
        events = self.docker.api.events(since=since, until=until, filters=filters)
        return len(list(events))

    def test_it_is_paused_unless_it_need_not_be(self):
        spec = self.started()
        for pauses in (True, False):
            began_at = time.time()
            labels = self.labels()
            self.host.commit(spec.name, "", labels=labels, pauses=pauses)
            assert self.pauses_of(spec, began_at) == int(pauses)

    def test_what_is_beside_a_container_sees_its_files(self):
        """And what is made of it starts as the image does, not as it did."""
        spec = self.started()
        self.write(spec, "theirs")
        copier = self.created(
            publish_port=None,
            restarts=False,
            entrypoint=("bash", "-c"),
            command=("ls /proc/1/root/run/theirs | sort -o /var/lib/redis/copied",),
            beside=spec.name,
            name=f"{spec.name}-copier",
        )
        self.host.start(copier.name)
        assert self.container(copier).wait(timeout=30)["StatusCode"] == 0
        assert list(self.host.read_archive(copier.name, "/var/lib/redis/copied"))
        config = self.docker.api.inspect_image(self.commit(copier))["Config"]
        own = self.docker.api.inspect_image(self.tag)["Config"]
        for key in ("Entrypoint", "Cmd", "User", "WorkingDir"):
            assert (config.get(key) or None) == (own.get(key) or None), key
        assert self.find(spec).is_running

    def test_beside_what_does_not_run_nothing_starts(self):
        spec = self.created()
        beside = {"beside": spec.name, "name": f"{spec.name}-2", "publish_port": None}
        copier = self.created(**beside)
        with pytest.raises(errors.HostRefused):
            self.host.start(copier.name)

    def test_an_answer_that_is_not_waited_for_changes_nothing(self):
        """F36, F89: the daemon goes on, pauses no longer than it must, and tags."""
        spec = self.started()
        command = "dd if=/dev/urandom of=/tmp/large bs=1M count=300"
        assert self.container(spec).exec_run(command).exit_code == 0
        with mock.patch.object(docker_commits, "COMMIT_LIMIT_S", 0.3):
            with pytest.raises(errors.HostUnreachable):
                self.commit(spec)
        assert self.host.images.find(self.reference) is None
        assert self.find(spec).state == "paused"
        deadline = time.monotonic() + LATE_LIMIT_S
        while self.find(spec).state == "paused":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert self.host.images.find(self.reference) is not None
        assert self.backups() == {self.reference: self.backup_id}
