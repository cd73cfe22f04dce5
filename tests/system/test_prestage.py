"""Prestage with real processes and Docker: killed with -9, another worker goes on."""

import uuid
from collections.abc import Iterator

import pytest

from tests.system.site import LEASE_S, Site, wait_for

DOCKERFILE = """\
ARG BASE=brokersite/redis:7.0
FROM ${BASE}
RUN echo working; sleep 4
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def image(site: Site) -> Iterator[str]:
    """One that this site ships, and wants on its host."""
    name = f"brokersite-test-{uuid.uuid4().hex}"
    folder = site.state / "images" / name
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    reference = f"brokersite/{name}:1"
    site.execute(
        "INSERT INTO instances_hostimage (host_id, image, state, progress, error,"
        " owner, attempts, crashes, wanted_at)"
        " SELECT id, ?, 'wanted', '', '', '', 0, 0, ?"
        " FROM instances_dockerhost",
        *(reference, "2026-11-22 08:00:00"),
    )
    yield reference
    for found in site.docker.images(reference):
        site.docker.remove_image(found["Id"], force=True)


def row(site: Site, columns: str) -> tuple[object, ...]:
    found: tuple[object, ...] = site.rows(f"SELECT {columns} FROM instances_hostimage")[
        0
    ]
    return found


def wait_until_building(site: Site) -> None:
    def is_building() -> bool:
        return "sleep 4" in str(row(site, "progress")[0])

    wait_for(is_building, "the build to begin")


def wait_until_ready(site: Site) -> None:
    def is_ready() -> bool:
        state, error = row(site, "state, error")
        assert state != "failed", error
        return state == "ready"

    wait_for(is_ready, "the image to be ready", limit_s=60)


class TestKilled:
    def test_another_worker_goes_on_after_the_lease(
        self, site: Site, image: str
    ) -> None:
        """F22."""
        first = site.start_worker()
        wait_until_building(site)
        first.kill()
        first.wait()
        assert row(site, "state") == ("working",)
        site.start_worker()
        wait_until_ready(site)
        assert row(site, "attempts, crashes") == (2, 1)
        assert site.docker.images(image)

    def test_a_silent_build_outlasts_the_lease(self, site: Site, image: str) -> None:
        """The worker's beat keeps it, though Docker says nothing for so long."""
        assert LEASE_S < 4
        site.start_worker()
        site.start_worker()
        wait_until_ready(site)
        assert row(site, "attempts, crashes") == (1, 0)
        assert site.docker.images(image)

    def test_a_stop_hands_it_back_in_time(self, site: Site, image: str) -> None:
        """F28: Cloud Foundry kills ten seconds after SIGTERM."""
        first = site.start_worker()
        wait_until_building(site)
        first.terminate()
        assert first.wait(10) == 0
        site.start_worker()
        wait_until_ready(site)
        assert row(site, "crashes") == (0,)
        assert site.docker.images(image)
