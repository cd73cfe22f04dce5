"""How a container is removed, by what the Docker Engine answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import TestCase, mock

from docker.errors import APIError, NotFound

from instances.containers import docker
from instances.containers.access import Access


def refusal(code: int) -> APIError:
    return APIError("refused", response=mock.Mock(status_code=code))


class RemovingTest(TestCase):
    def setUp(self) -> None:
        self.host = docker.DockerContainerHost(Access(url="unix:///none.sock"))
        self.api = mock.Mock()
        self.found = [{"State": {}}, {"State": {}}, None]
        for patch in (
            mock.patch.object(self.host, "_changing", self.changing),
            mock.patch.object(docker, "inspect", lambda *_: self.found.pop(0)),
            mock.patch.object(docker.time, "sleep"),
        ):
            self.enterContext(patch)

    @contextmanager
    def changing(self) -> Iterator[mock.Mock]:
        yield self.api

    def test_a_removal_in_progress_is_waited_for(self):
        """F106: until Docker knows of no such container."""
        self.api.remove_container.side_effect = [refusal(409), refusal(409)]
        self.host.remove("c")
        assert self.found == []

    def test_one_that_has_gone_meanwhile_is_removed(self):
        """F36."""
        self.api.remove_container.side_effect = NotFound("no such container")
        self.host.remove("c")

    def test_volumes_without_a_name_go_with_it(self):
        """F107."""
        self.found = [{"State": {}}, None]
        self.host.remove("c")
        self.api.remove_container.assert_called_once_with("c", v=True, force=True)
