"""Killed with -9 in a backup, its proof or a restore: soon in order, nothing lost."""

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system import backups
from tests.system.site import Site, can_log_in, connect, wait_for

# Each a different state to go on from; the fakes crash at every single call.
BACKUP_POINTS = [
    ("paused", "leave_witness:after"),
    ("paused", "commit:after"),
    ("paused", "start:after"),  # the proof's
    ("hot", "create:after"),  # of what copies
    ("hot", "start:after"),
    ("hot", "commit:before"),
    ("hot", "commit:after"),
]
RESTORE_POINTS = [
    "create:after",  # of the throw-away container
    "write_archive:after",
    "stop:after",
    "start:after",
    "succeed:before",
]
FILL = "dd if=/dev/urandom of=/tmp/room bs=1M count=500"
"""Makes a commit take seconds."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(scope="module")
def app(site: Site) -> Iterator[dict[str, Any]]:
    """The credentials of an instance with one row, whose worker has ended."""
    worker = site.start_worker()
    site.provisioned("i")
    credentials = site.bind("i").body["credentials"]
    run(credentials, "CREATE TABLE facts (n INT)")
    run(credentials, "INSERT INTO facts VALUES (1)")
    ended(worker)
    yield credentials


@pytest.fixture(scope="module")
def backup(site: Site, app: dict[str, Any]) -> str:
    worker = site.start_worker()
    backups.back_up(site, "i")
    found = backups.wait_until_verified(site)
    ended(worker)
    return found


def run(credentials: dict[str, Any], statement: str) -> list[Any]:
    with connect(credentials) as session, session.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def facts(credentials: dict[str, Any]) -> list[int]:
    return [n for (n,) in run(credentials, "SELECT n FROM facts ORDER BY n")]


def ended(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    assert worker.wait(10) == 0


@pytest.mark.parametrize(("method", "point"), BACKUP_POINTS)
def test_a_backup_is_verified_all_the_same(
    site: Site, app: dict[str, Any], method: str, point: str
) -> None:
    """F22, F89, I12."""
    site.arm(point)
    doomed = site.start_worker()
    backups.back_up(site, "i", method)
    assert doomed.wait(30) == -signal.SIGKILL
    worker = site.start_worker()
    backups.wait_until_verified(site)
    backups.wait_until_in_order(site)
    assert 1 in facts(app)
    assert len(databases(app)) == 1, "no witness is left"
    ended(worker)


def test_killed_while_the_database_is_paused(site: Site, app: dict[str, Any]) -> None:
    """F89: the daemon goes on with the commit, and the next worker waits for it."""
    with_room = site.docker.exec_create(site.containers()[0]["Id"], FILL)
    site.docker.exec_start(with_room)
    doomed = site.start_worker()
    backups.back_up(site, "i")
    wait_for(lambda: backups.states(site) == ["paused"], "the commit")
    doomed.kill()
    doomed.wait()
    assert backups.states(site) == ["paused"]
    worker = site.start_worker()
    backups.wait_until_verified(site)
    backups.wait_until_in_order(site)
    assert len(databases(app)) == 1, "no witness is left"
    ended(worker)


@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_a_restored_database_has_the_data_of_then(
    site: Site, app: dict[str, Any], backup: str, point: str
) -> None:
    """F22, F102, I4: the same credentials, the same port."""
    run(app, "INSERT INTO facts VALUES (2)")
    site.arm(point)
    doomed = site.start_worker()
    backups.restore(site, backup)
    assert doomed.wait(30) == -signal.SIGKILL
    worker = site.start_worker()
    backups.wait_until_in_order(site)
    assert can_log_in(app)
    assert facts(app) == [1]
    ended(worker)


def databases(credentials: dict[str, Any]) -> set[str]:
    """What the user may see, besides the server's own."""
    found = {name for (name,) in run(credentials, "SHOW DATABASES")}
    return found - {"information_schema"}
