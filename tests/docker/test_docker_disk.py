"""The room on a real Docker's disk, and that asking for it leaves nothing."""

import os
import time
from unittest import mock

from django.test import SimpleTestCase

from instances.containers import Access, docker_disk
from instances.containers.docker import DockerContainerHost
from instances.containers.docker_disk import PROBE_LABEL
from tests.docker import engine_under_test as real

HELD = 50 * 2**20


class ProbeTest(SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.docker = real.client()
        self.host = DockerContainerHost(Access(real.url()))
        self.broker_id = f"{real.BROKER_ID}-{time.monotonic_ns()}"

    def free(self, image: str = real.IMAGE) -> int | None:
        return self.host.free_bytes(image, broker_id=self.broker_id)

    def probes(self) -> list[object]:
        label = f"{PROBE_LABEL}={self.broker_id}"
        return self.docker.containers.list(all=True, filters={"label": label})

    def test_it_is_what_the_disk_itself_says(self):
        """Where the disk can be seen from here; others write to it meanwhile."""
        root = self.docker.info()["DockerRootDir"]
        free = self.free()
        assert free is not None and self.probes() == []
        if os.path.isdir(root):
            seen = os.statvfs(root)
            assert abs(seen.f_bavail * seen.f_frsize - free) < 2**30

    def test_every_engine_s_image_can_tell(self):
        for image in real.IMAGES.values():
            assert self.free(image), image

    def test_an_image_without_df_tells_nothing_and_nothing_is_left(self):
        with mock.patch.object(docker_disk, "COMMAND", ("no-such-program",)):
            assert self.free() is None
        with mock.patch.object(docker_disk, "COMMAND", ("echo", "full of surprises")):
            assert self.free() is None
        assert self.probes() == []

    def test_what_a_worker_left_that_died_goes_at_the_next_time(self):
        """F58, I1."""
        left = self.docker.containers.create(
            real.IMAGE, labels={PROBE_LABEL: self.broker_id}
        )
        self.addCleanup(real.remove_all, self.broker_id)
        self.free()
        assert [row.id for row in self.probes()] == [left.id], "it may be at work"
        with mock.patch.object(docker_disk, "LEFT_AFTER_S", -60):
            self.free()
        assert self.probes() == []
