"""Images in and out of a Docker Engine, as streams."""

import base64
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress

from docker.errors import ImageNotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.docker_api import lend
from instances.containers.docker_images import (
    LONGEST_S,
    PULL_SILENCE_S,
    Refused,
    messages,
)
from instances.containers.docker_progress import PullProgress
from instances.containers.images import Report
from instances.containers.registry import RegistryLogin

SAVE_SILENCE_S = 1200
"""Docker first writes the whole image to its disk: 8 s a GB, on a quiet machine."""
LOAD_SILENCE_S = 1200
"""Docker unpacks the layers once it has them all."""
CHUNK = 2**20
MOST_IMAGES = 500


class DockerTransfers:
    """The part of a Docker Engine that lets images in and out."""

    _access: Access
    _timeout_s: int

    def identity(self) -> str:
        # The ID alone is that of a key file, which a clone of a machine has too, and
        # two daemons on one machine share.
        with lend(self._access, timeout_s=self._timeout_s) as api:
            info = api.info()
        return f"{info['ID']} {info['Name']} {info['DockerRootDir']}"

    def save_image(self, reference: str) -> Generator[bytes]:
        with lend(self._access, timeout_s=LONGEST_S, silence_s=SAVE_SILENCE_S) as api:
            url = f"{api.base_url}/v{api.api_version}/images/{reference}/get"
            with closing(api.get(url, stream=True, timeout=None)) as response:
                if response.status_code == 404:
                    raise errors.ImageMissing(detail=f"{reference} is not there")
                if not response.ok:
                    raise errors.HostRefused(detail=response.text)
                yield from response.iter_content(CHUNK)

    def load_image(self, chunks: Iterable[bytes]) -> None:
        with lend(self._access, timeout_s=LONGEST_S, silence_s=LOAD_SILENCE_S) as api:
            try:
                for _ in messages(
                    api,
                    "images/load",
                    data=iter(chunks),
                    headers={"Content-Type": "application/x-tar"},
                ):
                    pass
            except Refused as error:
                raise errors.ArchiveRefused(
                    "Docker does not take the image in.", detail=str(error)
                ) from None

    def push_image(
        self,
        reference: str,
        repository: str,
        tag: str,
        *,
        login: RegistryLogin,
        report: Report,
    ) -> str:
        digest = ""
        progress = PullProgress(report)
        with self._named(reference, repository, tag), self._refusals(repository):
            with lend(
                self._access, timeout_s=LONGEST_S, silence_s=PULL_SILENCE_S
            ) as api:
                for message in messages(
                    api,
                    f"images/{repository}/push",
                    params={"tag": tag},
                    headers=_header(login),
                ):
                    progress.see(message)
                    digest = (message.get("aux") or {}).get("Digest", digest)
        return digest

    def pull_image(
        self,
        repository: str,
        digest: str,
        reference: str,
        *,
        login: RegistryLogin,
        report: Report,
    ) -> None:
        progress = PullProgress(report)
        options = {"fromImage": repository, "tag": digest}
        with lend(self._access, timeout_s=LONGEST_S, silence_s=PULL_SILENCE_S) as api:
            with self._refusals(repository):
                for message in messages(
                    api, "images/create", params=options, headers=_header(login)
                ):
                    progress.see(message)
            pulled = f"{repository}@{digest}"
            name, _, tag = reference.rpartition(":")
            api.tag(pulled, name, tag)
            api.remove_image(pulled)

    @contextmanager
    def _named(self, reference: str, repository: str, tag: str) -> Iterator[None]:
        """Under the registry's name, as long as Docker needs that."""
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                api.tag(reference, repository, tag)
            except ImageNotFound:
                raise errors.ImageMissing(detail=f"{reference} is not there") from None
        try:
            yield
        finally:
            with lend(self._access, timeout_s=self._timeout_s) as api:
                with suppress(ImageNotFound):
                    api.remove_image(f"{repository}:{tag}")

    @contextmanager
    def _refusals(self, repository: str) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            raise errors.ImageFailed(
                "The registry does not do this.", detail=f"{repository}: {error}"
            ) from None

    def layers(self, reference: str) -> tuple[str, ...]:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return ()
        return tuple(found["RootFS"].get("Layers") or ())

    def count_known(self, layers: tuple[str, ...]) -> int:
        with lend(self._access, timeout_s=self._timeout_s) as api:
            ids = [row["Id"] for row in api.images(all=True)][:MOST_IMAGES]
        return max((_common(layers, self.layers(name)) for name in ids), default=0)


def _header(login: RegistryLogin) -> dict[str, str]:
    """Docker wants one even where nobody logs in. The password is in no log."""
    known = {"username": login.username, "password": login.password}
    said = json.dumps(known if login.username else {})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(said.encode()).decode()}


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many they have in common at the beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
