"""Killed with -9 at every step: resumed or cleanly ended, nothing twice, no leak."""

import signal
from collections.abc import Iterator

import pymysql
import pytest

from tests.system.mariadb_client import users
from tests.system.site import Site, can_log_in, connect, wait_for, wait_until_stopped

PROVISION_POINTS = [
    "place:before",
    "place:after",
    "create:before",
    "create:after",
    "start:before",
    "start:after",
    "check:before",
    "check:after",
    "create_database:before",
    "create_database:after",
    "succeed:before",
    "succeed:after",
]
# Not those inside a transaction: a stopped process would hold SQLite's write lock.
LATE_POINTS = [
    point for point in PROVISION_POINTS if not point.startswith(("place", "succeed"))
]
DEPROVISION_POINTS = [
    "remove:before",
    "remove:after",
    "release:before",
    "release:after",
    "mark_gone:before",
    "mark_gone:after",
    "succeed:before",
    "succeed:after",
]
BIND_POINTS = ["create_user:before", "create_user:after", "succeed:before"]
UNBIND_POINTS = ["drop_user:before", "drop_user:after", "succeed:before"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(autouse=True)
def _leaves_nothing(site: Site) -> Iterator[None]:
    yield
    assert site.containers() == []
    assert site.leased_ports() == []


def deprovisioned(site: Site, guid: str) -> None:
    assert site.deprovision(guid).status == 202
    assert site.wait_until_finished(guid) == "succeeded"


class TestWorkerKilledInProvision:
    @pytest.mark.parametrize("point", PROVISION_POINTS)
    def test_next_worker_ends_with_one_container(self, site: Site, point: str) -> None:
        """F22, F36, F58, F63: the second worker finds what the first one did."""
        guid = f"provision-{point}"
        site.arm(point)
        doomed = site.start_worker()
        assert site.provision(guid).status == 202
        assert doomed.wait(30) == -signal.SIGKILL
        leased = site.leased_ports()

        worker = site.start_worker()
        assert site.wait_until_finished(guid) == "succeeded", site.log()
        assert len(site.containers()) == 1
        if leased:
            assert site.leased_ports() == leased
        credentials = site.bind(guid).body["credentials"]
        assert credentials["port"] == site.leased_ports()[0]
        assert can_log_in(credentials)
        deprovisioned(site, guid)
        worker.terminate()
        assert worker.wait(8) == 0


class TestWorkerKilledInDeprovision:
    @pytest.mark.parametrize("point", DEPROVISION_POINTS)
    def test_next_worker_removes_everything(self, site: Site, point: str) -> None:
        """F105: the port is free only after the container is gone."""
        guid = f"deprovision-{point}"
        doomed = site.start_worker()
        site.provisioned(guid)
        site.arm(point)
        assert site.deprovision(guid).status == 202
        assert doomed.wait(30) == -signal.SIGKILL
        assert not site.containers() or site.leased_ports()

        worker = site.start_worker()
        assert site.wait_until_finished(guid) == "succeeded", site.log()
        worker.terminate()
        assert worker.wait(8) == 0


class TestWorkerStoppedWhileDeleted:
    @pytest.mark.parametrize("point", LATE_POINTS)
    def test_late_steps_leave_nothing(self, site: Site, point: str) -> None:
        """F4, F12, F24, I10: DELETE overtakes; what wakes up late cleans up."""
        guid = f"stopped-{point}"
        site.arm(point, "SIGSTOP")
        late = site.start_worker()
        assert site.provision(guid).status == 202
        wait_until_stopped(late)

        prompt = site.start_worker()
        assert site.deprovision(guid).status == 202
        assert site.wait_until_finished(guid) == "succeeded", site.log()
        late.send_signal(signal.SIGCONT)
        wait_for(lambda: not site.containers(), "the late container to go")
        for worker in (late, prompt):
            worker.terminate()
            assert worker.wait(8) == 0
        assert site.last_operation(guid).body["state"] == "succeeded"


class TestWebKilledInBind:
    @pytest.mark.parametrize("point", BIND_POINTS)
    def test_unbind_and_new_bind_leave_one_user(self, site: Site, point: str) -> None:
        """F2, F66: as Cloud Controller does, unbind after the lost answer."""
        guid = f"bind-{point}"
        worker = site.start_worker()
        site.provisioned(guid)
        site.arm(point)
        with pytest.raises(OSError):
            site.bind(guid, "lost")
        wait_for(lambda: site.unbind(guid, "lost").status in (200, 410), "the unbind")
        credentials = site.bind(guid, "second").body["credentials"]
        assert users(site, guid) == {credentials["username"]}
        deprovisioned(site, guid)
        worker.terminate()
        assert worker.wait(8) == 0


class TestWebKilledInUnbind:
    @pytest.mark.parametrize("point", UNBIND_POINTS)
    def test_user_is_gone_soon(self, site: Site, point: str) -> None:
        """F71, F73, I5: the worker ends what the web process began."""
        guid = f"unbind-{point}"
        worker = site.start_worker()
        site.provisioned(guid)
        credentials = site.bind(guid).body["credentials"]
        session = connect(credentials)
        site.arm(point)
        with pytest.raises(OSError):
            site.unbind(guid)
        wait_for(lambda: site.unbind(guid).status == 410, "the worker's unbind")
        assert not can_log_in(credentials)
        with pytest.raises(pymysql.OperationalError):
            session.cursor().execute("CREATE TABLE late (id INT)")
        assert users(site, guid) == set()
        deprovisioned(site, guid)
        worker.terminate()
        assert worker.wait(8) == 0
