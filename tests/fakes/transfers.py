"""Images in and out of a memory host, in the format that Docker 20.10 has."""

import hashlib
import io
import json
import tarfile
from collections.abc import Generator, Iterable
from typing import Any

from instances import errors
from tests.fakes.commits import FakeImage
from tests.fakes.faults import counted

REGISTRY: dict[str, FakeImage] = {}
"""What has been pushed by whom ever; tests clear it."""
BASE = b"what every image of this product begins with"


def layer(content: bytes, name: str = "data") -> bytes:
    return tar([(name, content)])


def tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def config_of(image: FakeImage) -> bytes:
    if image.config:
        return image.config
    layers = [digest(layer(BASE)), digest(layer(image.data))]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["entrypoint.sh"], "Labels": image.labels},
        "rootfs": {"type": "layers", "diff_ids": layers},
    }
    return json.dumps(config, sort_keys=True).encode()


def id_of(image: FakeImage) -> str:
    return digest(config_of(image))


def saved(image: FakeImage, reference: str) -> bytes:
    """As `docker save` has it; the base comes second, as names may have it."""
    config = config_of(image)
    name = f"{digest(config)[7:]}.json"
    folders = ["b" * 64, "a" * 64]
    entry = {
        "Config": name,
        "RepoTags": [reference],
        "Layers": [f"{folder}/layer.tar" for folder in folders],
    }
    return tar(
        [
            (f"{'a' * 64}/VERSION", b"1.0"),
            (f"{'a' * 64}/layer.tar", layer(image.data)),
            (f"{'b' * 64}/layer.tar", layer(BASE)),
            (name, config),
            ("manifest.json", json.dumps([entry]).encode()),
            ("repositories", b"{}"),
        ]
    )


class MemoryTransfers:
    """The part of a memory host that lets images in and out."""

    machine: Any

    @counted
    def identity(self) -> str:
        return str(id(self.machine))

    @counted
    def save_image(self, reference: str) -> Generator[bytes]:
        image = self.machine.backups.get(reference)
        if image is None:
            raise errors.ImageMissing(detail=f"{reference} is not there")
        return self._saved(saved(image, reference))

    def _saved(self, packed: bytes) -> Generator[bytes]:
        self.machine.saving += 1
        try:
            for start in range(0, len(packed), 1000):
                yield packed[start : start + 1000]
        finally:
            self.machine.saving -= 1

    @counted
    def load_image(self, chunks: Iterable[bytes]) -> None:
        content = b"".join(chunks)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            found = {
                member.name: archive.extractfile(member).read() for member in archive
            }
        for entry in json.loads(found["manifest.json"]):
            config = json.loads(found[entry["Config"]])
            base, top = config["rootfs"]["diff_ids"]
            if entry["Layers"][0] not in found and not self._known((base,)):
                raise errors.ArchiveRefused(detail="no such file")
            packed = found[entry["Layers"][1]]
            assert digest(packed) == top
            with tarfile.open(fileobj=io.BytesIO(packed)) as inner:
                data = inner.extractfile("data").read()
            labels = config["config"]["Labels"]
            image = FakeImage(data, labels, config=found[entry["Config"]])
            for reference in entry["RepoTags"]:
                self.machine.backups[reference] = image

    @counted
    def push_image(
        self, reference: str, repository: str, tag: str, *, login: Any, report: Any
    ) -> str:
        report("pushing: 1 of 1 layers")
        image = self.machine.backups.get(reference)
        if image is None:
            raise errors.ImageMissing(detail=f"{reference} is not there")
        REGISTRY[f"{repository}@{id_of(image)}"] = image
        return id_of(image)

    @counted
    def pull_image(
        self, repository: str, digest: str, reference: str, *, login: Any, report: Any
    ) -> None:
        report("pulling: 1 of 1 layers")
        image = REGISTRY.get(f"{repository}@{digest}")
        if image is None:
            raise errors.ImageFailed(detail="manifest unknown")
        self.machine.backups[reference] = image

    @counted
    def layers(self, reference: str) -> tuple[str, ...]:
        image = self.machine.backups.get(reference)
        return () if image is None else tuple(_layers(image))

    @counted
    def count_known(self, layers: tuple[str, ...]) -> int:
        return self._known(layers)

    def _known(self, layers: tuple[str, ...]) -> int:
        """Each machine has the base if it has any image of the product."""
        has_base = bool(self.machine.images or self.machine.backups)
        whole = [tuple(_layers(image)) for image in self.machine.backups.values()]
        if layers in whole:
            return len(layers)
        return int(has_base and layers[:1] == (digest(layer(BASE)),))


def _layers(image: FakeImage) -> list[str]:
    return json.loads(config_of(image))["rootfs"]["diff_ids"]
