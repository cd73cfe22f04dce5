"""What every image store does, said once and run against each."""

import io
import re
import tarfile
import uuid

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import (
    SOURCE_LABEL,
    Access,
    ContainerHost,
    ImageBuild,
    ImageStore,
)
from instances.containers.docker import DockerContainerHost
from instances.engines.redis import Redis
from tests.docker import engine_under_test as real
from tests.docker.registry import Registry, is_missing
from tests.fakes.containers import MemoryContainerHost
from tests.fakes.faults import Faults
from tests.fakes.machine import Machine

BASE = real.IMAGES["redis"]
MARK = "brokersite.test"
"""Label of the images that are made here, for removing them."""


class Enough(Exception):
    """What a caller raises that does not want to hear any more."""


def _stop(_: str) -> None:
    raise Enough


def _tar(name: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


class ImageStoreContract:
    """Facts; a subclass gives host, published() and unreachable_host()."""

    host: ContainerHost

    def setUp(self) -> None:
        super().setUp()
        self.reference = f"brokersite-test/{uuid.uuid4().hex}:1"
        self.said: list[str] = []

    @property
    def images(self) -> ImageStore:
        return self.host.images

    def build(self, *commands: str, **changes: object) -> ImageBuild:
        lines = ["ARG BASE", "FROM ${BASE}", *(f"RUN {line}" for line in commands)]
        fields = {
            "reference": self.reference,
            "context": _tar("Dockerfile", "\n".join(lines).encode()),
            "arguments": {"BASE": BASE},
            "labels": {SOURCE_LABEL: "a digest", MARK: real.BROKER_ID},
        }
        return ImageBuild(**{**fields, **changes})

    def perform(self, *commands: str, **changes: object) -> None:
        self.images.build(self.build(*commands, **changes), report=self.said.append)

    def test_an_image_that_is_there_shows_what_it_is(self):
        status = self.images.find(BASE)
        assert status.reference == BASE
        assert status.id.startswith("sha256:")
        assert status.size_bytes > 1_000_000
        assert status.layers >= 1

    def test_an_image_that_is_not_there_is_none(self):
        assert self.images.find(self.reference) is None

    def test_a_name_that_no_image_can_have_is_none(self):
        for reference in ("", "Upper/Case:1", "a b", "../containers", "a/../b", "a?b"):
            assert self.images.find(reference) is None, reference

    def test_a_build_is_there_under_its_name_with_its_labels(self):
        self.perform("echo hello")
        status = self.images.find(self.reference)
        assert dict(status.labels).items() >= {SOURCE_LABEL: "a digest"}.items()

    def test_a_build_says_how_far_it_is(self):
        self.perform("echo hello", "echo goodbye")
        hello = [i for i, line in enumerate(self.said) if "hello" in line]
        goodbye = [i for i, line in enumerate(self.said) if "goodbye" in line]
        assert hello and goodbye and hello[0] < goodbye[-1]
        assert all(line.isprintable() for line in self.said)

    def test_building_again_changes_nothing(self):
        self.perform("echo hello")
        before = self.images.find(self.reference)
        self.perform("echo hello")
        assert self.images.find(self.reference) == before

    def test_a_build_that_fails_says_why_and_leaves_the_name_free(self):
        with pytest.raises(errors.ImageFailed) as caught:
            self.perform("echo the-reason; exit 1")
        assert "the-reason" in caught.value.detail
        assert "returned" in caught.value.detail
        assert self.images.find(self.reference) is None

    def test_a_build_on_a_base_that_cannot_be_had_fails(self):
        with pytest.raises(errors.ImageFailed) as caught:
            self.perform(arguments={"BASE": "127.0.0.1:1/no/base:1"})
        assert "127.0.0.1:1" in caught.value.detail

    def test_a_caller_may_stop_a_build(self):
        with pytest.raises(Enough):
            self.images.build(self.build("echo hello"), report=_stop)
        assert self.images.find(self.reference) is None

    def test_a_container_keeps_the_image_that_the_name_meant(self):
        self.perform("echo one")
        spec = real.spec_of(Redis(), "secret", image=self.reference)
        self.host.create(spec)
        made_of = self.images.find(self.reference).id
        self.perform("echo two")
        listed = self.host.list(broker_id=real.BROKER_ID)
        ids = {status.name: status.image_id for status in listed}
        assert ids[spec.name] == self.host.find(spec.name).image_id == made_of
        assert made_of != self.images.find(self.reference).id

    def test_a_pulled_image_is_there(self):
        reference = self.published()
        assert self.images.find(reference) is None
        self.images.pull(reference, report=self.said.append)
        assert self.images.find(reference) is not None
        assert any(re.search(r"\b(\d+) of \1 layers", line) for line in self.said)

    def test_pulling_again_changes_nothing(self):
        reference = self.published()
        self.images.pull(reference, report=self.said.append)
        before = self.images.find(reference)
        self.images.pull(reference, report=self.said.append)
        assert self.images.find(reference) == before

    def test_pulling_what_the_registry_does_not_have_fails(self):
        reference = f"{self.published()}-not"
        with pytest.raises(errors.ImageFailed) as caught:
            self.images.pull(reference, report=self.said.append)
        assert reference in caught.value.detail
        assert "manifest unknown" in caught.value.detail

    def test_a_caller_may_stop_a_pull(self):
        reference = self.published()
        with pytest.raises(Enough):
            self.images.pull(reference, report=_stop)

    def test_every_call_to_a_dead_host_says_that_it_is_unreachable(self):
        """F32."""
        images = self.unreachable_host().images
        calls = [
            lambda: images.find(BASE),
            lambda: images.pull(BASE, report=self.said.append),
            lambda: images.build(self.build(), report=self.said.append),
        ]
        for call in calls:
            with pytest.raises(errors.HostUnreachable):
                call()


class MemoryImageStoreTest(ImageStoreContract, SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(Faults(), images={BASE})
        self.host = MemoryContainerHost(self.machine)

    def published(self) -> str:
        self.machine.registry.add("registry.example/tiny:1")
        return "registry.example/tiny:1"

    def unreachable_host(self) -> ContainerHost:
        return MemoryContainerHost(Machine(Faults(), is_down=True))


class DockerImageStoreTest(ImageStoreContract, SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.docker = real.client()
        cls.addClassCleanup(real.remove_all)

    def setUp(self) -> None:
        super().setUp()
        self.host = DockerContainerHost(Access(real.url()))
        self.addCleanup(self.remove_images)

    def remove_images(self) -> None:
        real.remove_all()
        mine = {"label": f"{MARK}={real.BROKER_ID}"}
        for image in self.docker.images.list(filters=mine):
            self.docker.images.remove(image.id, force=True)

    def published(self) -> str:
        """A tiny image that is in a registry and not on the host."""
        if is_missing():
            self.skipTest("needs Debian's docker-registry")
        registry = self.enterContext(Registry())
        name, tag = f"{registry.address}/tiny", uuid.uuid4().hex
        self.docker.api.import_image_from_data(
            _tar("file", tag.encode()),
            repository=name,
            tag=tag,
            changes=[f"LABEL {MARK}={real.BROKER_ID}"],
        )
        self.docker.api.push(name, tag)
        self.docker.images.remove(f"{name}:{tag}")
        return f"{name}:{tag}"

    def unreachable_host(self) -> ContainerHost:
        return DockerContainerHost(Access("unix:///no/such.sock"), timeout_s=2)
