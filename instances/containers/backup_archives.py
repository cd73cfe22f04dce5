"""A backup as a file: what `docker save` writes, made anew as it passes by.

What Docker says of the image is not believed: each layer is hashed on its way, and
the manifest, which is all that makes Docker load anything and comes last, is written
here. It names one image by one reference of ours, so that no archive can give its
own to an image that others use. Who stops reading before has loaded nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from instances import errors
from instances.containers import tar_stream
from instances.containers.images import MOST_LAYERS
from instances.containers.layer_names import LayerNames
from instances.containers.tar_stream import Member, Source

DESCRIPTION = "brokersite.json"
"""What the image itself does not say; Docker leaves it alone."""
MOST_MEMBERS = 1000
MOST_SMALL = 2**20
MOST_HELD = 16 * 2**20
_LAYER = re.compile(r"[0-9a-f]{64}/layer\.tar")
_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")
_SMALL = re.compile(
    r"[0-9a-f]{64}\.json|[0-9a-f]{64}/(json|VERSION)|oci-layout"
    rf"|(manifest|index)\.json|repositories|{re.escape(DESCRIPTION)}"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "StopSignal", "User", "WorkingDir")
"""No volume, no health check and no trigger comes in with a file."""


def _ignore(description: bytes = b"") -> None:
    pass


@dataclass
class Archive:
    """One way through: iterate over pieces(), then `image_id` is known."""

    chunks: Iterator[bytes]
    """As `docker save` writes them, unpacked."""
    reference: str
    image_id: str = ""
    """Given: no other image is let through. Afterwards: that of what was written."""
    labels: Mapping[str, str] | None = None
    """Given: these take the place of all that the image has (it is another's)."""
    description: bytes = b""
    """To be put in."""
    on_description: Callable[[bytes], None] = _ignore
    """Is given the one that is found; raises if that one will not do."""
    before_end: Callable[[], None] = _ignore
    """Is called once all has been read, and raises if the image is not to be loaded."""
    known: tuple[str, ...] = ()
    """The first layers, which whoever reads has: they are left out."""
    most_bytes: int | None = None
    _held: dict[str, bytes] = field(default_factory=dict)
    _layers: dict[str, str] = field(default_factory=dict)
    """The name under which it is in the archive, by the digest of what it holds."""
    _names: set[str] = field(default_factory=set)
    _size: int = 0

    def __post_init__(self) -> None:
        self._known = LayerNames(self.known)

    def pieces(self) -> Generator[bytes]:
        """The new tar. Raise ArchiveRefused, at the latest before the manifest."""
        return tar_stream.gathered(self._pieces())

    def _pieces(self) -> Generator[bytes]:
        source = Source(self.chunks)
        if self.description:
            yield tar_stream.whole(DESCRIPTION, self.description)
        while (member := tar_stream.next_member(source)) is not None:
            yield from self._member(source, member)
        while rest := source.some(tar_stream.CHUNK):
            self._count(len(rest))
            if rest.strip(b"\0"):
                raise errors.ArchiveRefused("The file has more behind its end.")
        self.before_end()
        config = self._config()
        yield from self._small_layers(config)
        yield from self._end(config)

    def _member(self, source: Source, member: Member) -> Generator[bytes]:
        self._count(tar_stream.BLOCK + member.size)
        if member.name in self._names or len(self._names) >= MOST_MEMBERS:
            raise errors.ArchiveRefused("The file has a name twice, or too many.")
        self._names.add(member.name)
        if not member.is_file:
            # A folder, or a link to a layer with the same content.
            if member.size:
                raise errors.ArchiveRefused("The file has something odd in it.")
        elif _LAYER.fullmatch(member.name):
            yield from self._layer(source, member)
        elif _BLOB.fullmatch(member.name) and member.size > MOST_SMALL:
            yield from self._layer(source, member)
        elif _SMALL.fullmatch(member.name) or _BLOB.fullmatch(member.name):
            self._hold(source, member)
        else:
            raise errors.ArchiveRefused(
                "The file has something in it that no backup has.",
                detail=f"{member.name[:200]!r} has no place in it",
            )

    def _count(self, size: int) -> None:
        self._size += size
        if self.most_bytes is not None and self._size > self.most_bytes:
            raise errors.ArchiveRefused(
                f"The file holds more than {self.most_bytes // 2**20} MiB, "
                "and so much is not taken in."
            )

    def _hold(self, source: Source, member: Member) -> None:
        if member.size > MOST_SMALL:
            raise errors.ArchiveRefused(f"{member.name} is too large in the file.")
        padded = member.size + tar_stream.padding(member.size)
        content = source.exactly(padded)[: member.size]
        self._held[member.name] = content
        if sum(map(len, self._held.values())) > MOST_HELD:
            raise errors.ArchiveRefused("The file has too much that is no layer.")
        if member.name == DESCRIPTION:
            self.on_description(content)
        elif member.name.endswith("/json"):
            self._known.learn(content)

    def _layer(self, source: Source, member: Member) -> Generator[bytes]:
        padding = tar_stream.padding(member.size)
        known = self._known.find(member.name)
        if known:
            for _ in source.stream(member.size + padding):
                pass
            return
        digest = hashlib.sha256()
        yield tar_stream.header(member.name, member.size)
        for piece in tar_stream.watch(source, member.size):
            digest.update(piece)
            yield piece
        source.exactly(padding)
        yield bytes(padding)
        self._layers[f"sha256:{digest.hexdigest()}"] = member.name

    def _config(self) -> bytes:
        """The image's own, once it is known that all of it is here."""
        try:
            (entry,) = json.loads(self._held["manifest.json"])
            config = self._held[entry["Config"]]
            layers = _layers_of(json.loads(config))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise errors.ArchiveRefused(
                "The file does not hold exactly one image.", detail=repr(error)
            ) from None
        if self.image_id not in ("", _digest(config)):
            raise errors.ArchiveRefused(
                "The image is not the one that was asked for.",
                detail=f"{_digest(config)} has come and not {self.image_id}",
            )
        here = {*self._layers, *self.known, *map(_digest, self._held.values())}
        if missing := set(layers) - here:
            raise errors.ArchiveRefused(
                "The file lacks a layer of its image, or has it compressed.",
                detail=f"no layer is {', '.join(sorted(missing))}",
            )
        if not self._held.get(DESCRIPTION) and self.labels is not None:
            raise errors.ArchiveRefused(
                f"The file is no backup of this product: it has no {DESCRIPTION}."
            )
        return config

    def _small_layers(self, config: bytes) -> Generator[bytes]:
        """Blobs that may have been anything until the image's config was known."""
        wanted = {*_layers_of(json.loads(config))} - {*self._layers, *self.known}
        for content in list(self._held.values()):
            digest = _digest(content)
            if digest in wanted:
                name = f"blobs/sha256/{digest.removeprefix('sha256:')}"
                checked = tar_stream.watch(Source(iter([content])), len(content))
                yield tar_stream.whole(name, b"".join(checked))
                self._layers[digest] = name

    def _end(self, config: bytes) -> Generator[bytes]:
        layers = _layers_of(json.loads(config))
        if self.labels is not None:
            config = _relabelled(json.loads(config), layers, self.labels)
        self.image_id = _digest(config)
        name = f"{self.image_id.removeprefix('sha256:')}.json"
        # What is left out is not looked for: whoever reads has it.
        paths = [self._layers.get(layer, f"{layer[7:]}/layer.tar") for layer in layers]
        entry = {"Config": name, "RepoTags": [self.reference], "Layers": paths}
        yield tar_stream.whole(name, config)
        yield tar_stream.whole("manifest.json", json.dumps([entry]).encode())
        yield tar_stream.END


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layers_of(config: Any) -> list[str]:
    """Raise KeyError, TypeError or ValueError if it is no image's."""
    layers = config["rootfs"]["diff_ids"]
    if not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"{len(layers)} layers")
    if not all(_DIGEST.fullmatch(layer) for layer in layers):
        raise ValueError("a layer's digest is none")
    return list(layers)


def _relabelled(config: Any, layers: list[str], labels: Mapping[str, str]) -> bytes:
    """A config with nothing in it that starting a backup has no need of."""
    settings = config.get("config")
    if not isinstance(settings, dict):
        raise errors.ArchiveRefused("The image in the file has no settings.")
    kept = {name: settings[name] for name in _KEPT if name in settings}
    made = {
        "architecture": str(config.get("architecture")),
        "os": "linux",
        "config": {**kept, "Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": [{"created_by": "brokersite: taken in from a file"} for _ in layers],
    }
    return json.dumps(made).encode()
