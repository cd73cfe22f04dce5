"""The images that this product ships: a folder in images/ for each."""

import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from instances.containers.images import SOURCE_LABEL, ImageBuild

NAMESPACE = "brokersite/"
OWN_BASE = "brokersite/base:bookworm"
"""What bin/build-images makes where the usual base cannot be pulled."""

_REFERENCE = re.compile(r"brokersite/([a-z0-9][a-z0-9._-]*):([\w][\w.-]*)", re.ASCII)
_BASE = re.compile(r"^ARG BASE=(\S+)", re.M)


@dataclass(frozen=True)
class ShippedImage:
    reference: str
    version: str
    folder: Path

    @property
    def base(self) -> str:
        """The image that it is built on, if nothing else is said."""
        found = _BASE.search((self.folder / "Dockerfile").read_text())
        return found[1] if found else ""

    @property
    def source(self) -> str:
        """The folder's digest, as bin/build-images works it out."""
        digest = hashlib.sha256()
        for name, content in self._files():
            line = f"{hashlib.sha256(content).hexdigest()}  ./{name}\n"
            digest.update(line.encode())
        return digest.hexdigest()

    def build_on(self, base: str, **proxies: str) -> ImageBuild:
        """As bin/build-images would; its own base needs the host's network."""
        return ImageBuild(
            reference=self.reference,
            context=self._context(),
            arguments={"BASE": base, "VERSION": self.version, **proxies},
            labels={SOURCE_LABEL: self.source},
            on_host_network=base == OWN_BASE,
        )

    def _files(self) -> list[tuple[str, bytes]]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        found = ((path.relative_to(self.folder).as_posix(), path) for path in paths)
        return [(name, path.read_bytes()) for name, path in sorted(found)]

    def _context(self) -> bytes:
        """The same from every checkout, so that Docker knows what it has built."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, content in self._files():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                # An upload to Cloud Foundry may have lost the modes.
                entry.mode = 0o755 if content.startswith(b"#!") else 0o644
                tar.addfile(entry, io.BytesIO(content))
        return archive.getvalue()


def find_shipped(reference: str) -> ShippedImage | None:
    """The image of that name that can be built from this code."""
    matched = _REFERENCE.fullmatch(reference)
    if matched is None:
        return None
    folder = Path(settings.SHIPPED_IMAGES) / matched[1]
    if not (folder / "Dockerfile").is_file():
        return None
    return ShippedImage(reference, version=matched[2], folder=folder)
