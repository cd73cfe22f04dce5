"""Docker's disk runs full: backups fail with a reason, and nothing else does."""

import os
import shutil
from typing import Any

import pytest

from tests.system import backups
from tests.system.private_docker import PrivateDocker
from tests.system.site import Site, connect, wait_for
from tests.system.test_daemon_restart import cannot_run

DISK_MB = 1200
LEFT_MB = 20
"""Less than MariaDB's own files take in a backup."""


@pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd")
class TestFullDisk:
    def test_a_backup_fails_and_harms_nothing(self) -> None:
        """F52, F92, I12, I13."""
        with (
            PrivateDocker(disk_mb=DISK_MB) as daemon,
            Site(docker_url=daemon.url, database_host=daemon.address) as site,
        ):
            site.start_worker()
            site.provisioned("i")
            credentials = site.bind("i").body["credentials"]
            write(credentials, "CREATE TABLE facts (n INT)")
            site.execute("UPDATE instances_dockerhost SET reserve_mb = 0")
            filler = daemon.root / "data/filler"
            room = shutil.disk_usage(daemon.root / "data").free
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, room - LEFT_MB * 2**20)

            self.look_at_the_refusal(site)
            self.look_at_a_commit_without_room(site)
            (container,) = site.containers()
            assert container["State"] == "running", "and not paused"
            write(credentials, "INSERT INTO facts VALUES (1)")

            filler.unlink()
            forget_the_disk(site)
            backups.back_up(site, "i")
            backups.wait_until_verified(site)
            wait_for(lambda: len(site.backup_images()) == 1, "one image, and no more")

    def look_at_the_refusal(self, site: Site) -> None:
        """It is said before writers are held."""
        forget_the_disk(site)
        assert "MiB of disk free" in failed(site)
        assert backups.images(site) == {}

    def look_at_a_commit_without_room(self, site: Site) -> None:
        """As if somebody else had filled it meanwhile."""
        site.execute(
            "UPDATE instances_dockerhost SET free_bytes = 1000000000000,"
            " free_measured_at = datetime('now', '+1 hour')"
        )
        assert "no space left on device" in failed(site)
        assert backups.images(site) == {}


def failed(site: Site) -> str:
    """The problem of a backup that is asked for now."""
    backups.back_up(site, "i")
    backups.wait_until_done(site)
    _, state, problem = backups.last(site)
    assert state == "failed"
    return problem


def forget_the_disk(site: Site) -> None:
    site.execute("UPDATE instances_dockerhost SET free_measured_at = NULL")


def write(credentials: dict[str, Any], statement: str) -> None:
    with connect(credentials) as session, session.cursor() as cursor:
        cursor.execute(statement)
