"""dockerd killed and started again: everything of ours comes back with its port."""

import os
import shutil

import pymysql
import pytest

from tests.system.private_docker import PrivateDocker
from tests.system.site import Site, can_log_in, connect, wait_for


def cannot_run() -> bool:
    """A network namespace takes root and iproute2; CI has both, or fails."""
    can = os.geteuid() == 0 and shutil.which("ip") and shutil.which("dockerd")
    return not can and not os.environ.get("CI")


@pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd")
class TestDaemonKilled:
    def test_databases_come_back_with_port_and_data(self) -> None:
        """F32, F40, I3, I4: nothing is lost, and what was asked meanwhile is done."""
        with (
            PrivateDocker() as daemon,
            Site(docker_url=daemon.url, database_host=daemon.address) as site,
        ):
            site.start_worker()
            site.provisioned("kept")
            credentials = site.bind("kept").body["credentials"]
            assert credentials["hostname"] == daemon.address
            with connect(credentials) as session, session.cursor() as cursor:
                cursor.execute("CREATE TABLE note (text VARCHAR(20))")
                cursor.execute("INSERT INTO note VALUES ('before')")
            daemon.kill()
            assert site.request("GET", "/v2/catalog").status == 200
            assert site.provision("meanwhile").status == 202
            assert site.deprovision("meanwhile").status == 202
            assert site.provision("next").status == 202

            daemon.start()
            # It was not stopped in order, and reads much of its data first.
            back = "the database to come back"
            wait_for(lambda: _answers(credentials), back, limit_s=90)
            with connect(credentials) as session, session.cursor() as cursor:
                cursor.execute("SELECT text FROM note")
                assert cursor.fetchone() == ("before",)
            assert site.wait_until_finished("next", limit_s=90) == "succeeded"
            assert site.wait_until_finished("meanwhile", limit_s=90) == "succeeded"
            assert site.unbind("kept").status == 200
            assert not can_log_in(credentials)
            assert len(site.containers()) == 2


def _answers(credentials: dict[str, object]) -> bool:
    try:
        return can_log_in(credentials)
    except pymysql.OperationalError:
        return False
