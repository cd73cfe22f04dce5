"""Images in and out of a Docker Engine, as streams."""

from collections.abc import Generator, Iterable
from contextlib import closing

from docker.errors import ImageNotFound

from instances import errors
from instances.containers.docker_api import lend
from instances.containers.docker_images import Refused, messages

SAVE_SILENCE_S = 1800
"""Docker first writes the whole image to its disk: 8 s a GB, on a quiet machine."""
LOAD_SILENCE_S = 1800
"""Docker unpacks the layers once it has them all."""
CHUNK = 2**20
MOST_IMAGES = 500


class DockerTransfers:
    """The part of a Docker Engine that lets images in and out."""

    _url: str
    _timeout_s: int

    def save_image(self, reference: str) -> Generator[bytes]:
        with lend(self._url, timeout_s=self._timeout_s) as api:
            url = f"{api.base_url}/v{api.api_version}/images/{reference}/get"
            limits = (self._timeout_s, SAVE_SILENCE_S)
            with closing(api.get(url, stream=True, timeout=limits)) as response:
                if response.status_code == 404:
                    raise errors.ImageMissing(detail=f"{reference} is not there")
                if not response.ok:
                    raise errors.HostRefused(detail=response.text)
                yield from response.iter_content(CHUNK)

    def load_image(self, chunks: Iterable[bytes]) -> None:
        limits = (self._timeout_s, LOAD_SILENCE_S)
        with lend(self._url, timeout_s=self._timeout_s) as api:
            try:
                for _ in messages(
                    api,
                    "images/load",
                    limits,
                    data=iter(chunks),
                    headers={"Content-Type": "application/x-tar"},
                ):
                    pass
            except Refused as error:
                raise errors.ArchiveRefused(
                    "Docker does not take the image in.", detail=str(error)
                ) from None

    def layers(self, reference: str) -> tuple[str, ...]:
        with lend(self._url, timeout_s=self._timeout_s) as api:
            try:
                found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return ()
        return tuple(found["RootFS"].get("Layers") or ())

    def count_known(self, layers: tuple[str, ...]) -> int:
        with lend(self._url, timeout_s=self._timeout_s) as api:
            ids = [row["Id"] for row in api.images(all=True)][:MOST_IMAGES]
        return max((_common(layers, self.layers(name)) for name in ids), default=0)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many they have in common at the beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
