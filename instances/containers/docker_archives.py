"""Files of containers as tars, in and out."""

from collections.abc import Generator, Iterable

from docker.errors import NotFound

from instances import errors
from instances.containers.access import Access
from instances.containers.docker_api import lend

ARCHIVE_CHUNK = 2**20
ARCHIVE_LIMIT_S = 3600
ARCHIVE_SILENCE_S = 60


class DockerArchives:
    """The part of a Docker Engine that reads and writes files of containers."""

    _access: Access
    _timeout_s: int

    def read_archive(self, name: str, path: str) -> Generator[bytes]:
        with lend(
            self._access, timeout_s=ARCHIVE_LIMIT_S, silence_s=ARCHIVE_SILENCE_S
        ) as api:
            try:
                chunks, _ = api.get_archive(name, path, chunk_size=ARCHIVE_CHUNK)
            except NotFound as error:
                raise errors.ContainerFailed(detail=str(error.explanation)) from None
            yield from chunks

    def write_archive(self, name: str, path: str, chunks: Iterable[bytes]) -> None:
        with lend(
            self._access, timeout_s=ARCHIVE_LIMIT_S, silence_s=ARCHIVE_SILENCE_S
        ) as api:
            try:
                # An iterator: requests takes a list for the fields of a form.
                api.put_archive(name, path, iter(chunks))
            except NotFound as error:
                raise errors.ContainerFailed(detail=str(error.explanation)) from None
