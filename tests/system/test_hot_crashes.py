"""Killed with -9 in a hot backup of PostgreSQL, which has a session open meanwhile."""

import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.system import backups
from tests.system.site import Site, wait_for

IDS = {
    "service_id": "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e02",
    "plan_id": "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e21",
}
POINTS = [
    "commit:before",
    "commit:after",  # the first of two
    "create:after",
    "write_archive:before",
    "write_archive:after",
]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(scope="module")
def app(site: Site) -> Iterator[dict[str, Any]]:
    """The credentials of an instance with one row, whose worker has ended."""
    worker = site.start_worker()
    path = "/v2/service_instances/i"
    body = IDS | {"organization_guid": "org", "space_guid": "space"}
    site.request("PUT", path, body, accepts_incomplete="true")
    assert site.wait_until_finished("i") == "succeeded", site.log()
    bound = site.request("PUT", f"{path}/service_bindings/b", IDS)
    credentials = bound.body["credentials"]
    run(credentials, "CREATE TABLE facts (n INT)")
    run(credentials, "INSERT INTO facts VALUES (1)")
    worker.terminate()
    assert worker.wait(10) == 0
    yield credentials


def run(credentials: dict[str, Any], statement: str) -> list[Any]:
    with psycopg.connect(credentials["uri"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def slots(credentials: dict[str, Any]) -> list[Any]:
    return run(credentials, "SELECT slot_name FROM pg_replication_slots")


@pytest.mark.parametrize("point", POINTS)
def test_it_is_verified_and_nothing_is_left(
    site: Site, app: dict[str, Any], point: str
) -> None:
    """F22, F89, I12."""
    site.arm(point)
    doomed = site.start_worker()
    backups.back_up(site, "i", "hot")
    assert doomed.wait(30) == -signal.SIGKILL
    wait_for(lambda: not slots(app), "the slot to end with its session")
    worker = site.start_worker()
    backups.wait_until_verified(site)
    backups.wait_until_in_order(site)
    assert run(app, "SELECT n FROM facts") == [(1,)]
    assert not slots(app)
    worker.terminate()
    assert worker.wait(10) == 0
