"""An upgrade killed, stopped or overtaken at every step, while an app writes."""

import io
import signal
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.mariadb_client import Writer, users
from tests.system.site import OFFERING, Site, can_log_in, wait_for, wait_until_stopped

OLD = "brokersite/mariadb:10.11.2"
NEW = f"brokersite/mariadb:upgrade-{uuid.uuid4().hex[:12]}"
CALLS = (
    "create",
    "stop",
    "read_archive",
    "write_archive",
    "start",
    "users",
    "drop_user",
    "succeed",
)
POINTS = [f"{call}:{moment}" for call in CALLS for moment in ("before", "after")]
# Not those inside a transaction: a stopped process would hold SQLite's write lock.
OVERTAKEN = [
    "create:before",
    "stop:before",
    "stop:after",
    "write_archive:before",
    "write_archive:after",
    "start:before",
    "start:after",
    "users:before",
    "drop_user:before",
]
DELETED = ["create:before", "write_archive:before", "start:before", "drop_user:after"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """With another image of the same database."""
    with Site() as site:
        dockerfile = f"FROM {OLD}\nLABEL brokersite.upgrade=test\n"
        build = site.docker.build(
            fileobj=io.BytesIO(dockerfile.encode()), tag=NEW, rm=True, decode=True
        )
        assert "error" not in str(list(build))
        yield site
        for container in site.containers():
            site.docker.remove_container(container["Id"], v=True, force=True)
        site.docker.remove_image(NEW)


@pytest.fixture(autouse=True)
def _leaves_nothing(site: Site) -> Iterator[None]:
    yield
    assert site.containers() == []
    assert site.leased_ports() == []


def set_plan(site: Site, image: str, version: str) -> None:
    sql = "UPDATE instances_serviceplan SET image = ?, maintenance_version = ?"
    site.execute(sql, image, version)


class Outdated:
    """An instance with a binding; its plan has moved on."""

    def __init__(self, site: Site, guid: str) -> None:
        self.site, self.guid = site, guid
        self.path = f"/v2/service_instances/{guid}"
        set_plan(site, OLD, "1.0.0")
        worker = site.start_worker()
        site.provisioned(guid)
        self.credentials: dict[str, Any] = site.bind(guid).body["credentials"]
        self.ports = site.leased_ports()
        end(worker)
        set_plan(site, NEW, "2.0.0")

    def upgrade(self) -> None:
        body = {"service_id": OFFERING, "maintenance_info": {"version": "2.0.0"}}
        answer = self.site.request("PATCH", self.path, body, accepts_incomplete="true")
        assert answer.status == 202, answer.body

    def assert_upgraded(self, writer: Writer) -> None:
        site, guid = self.site, self.guid
        wait_for(lambda: len(site.containers()) == 1, "the old one to go", limit_s=60)
        assert site.containers()[0]["Image"] == NEW
        assert site.leased_ports() == self.ports
        assert can_log_in(self.credentials)
        assert users(site, guid) == {self.credentials["username"]}
        assert writer.acknowledged and writer.missing() == set()
        version = site.request("GET", self.path).body["maintenance_info"]["version"]
        assert version == "2.0.0"

    def remove(self) -> None:
        assert self.site.deprovision(self.guid).status == 202
        assert self.site.wait_until_finished(self.guid) == "succeeded"


def end(*workers: subprocess.Popen[bytes]) -> None:
    for worker in workers:
        worker.terminate()
        assert worker.wait(10) == 0


class TestWorkerKilledInUpgrade:
    @pytest.mark.parametrize("point", POINTS)
    def test_next_worker_ends_it_and_nothing_is_lost(
        self, site: Site, point: str
    ) -> None:
        """F22, F58, I3: what was acknowledged stays, one container is left."""
        instance = Outdated(site, f"killed-{point}")
        site.arm(point)
        doomed = site.start_worker()
        with Writer(instance.credentials) as writer:
            instance.upgrade()
            assert doomed.wait(30) == -signal.SIGKILL
            worker = site.start_worker()
            assert site.wait_until_finished(instance.guid) == "succeeded", site.log()
        instance.assert_upgraded(writer)
        instance.remove()
        end(worker)


class TestWorkerStoppedInUpgrade:
    @pytest.mark.parametrize("point", OVERTAKEN)
    def test_what_wakes_up_late_harms_nothing(self, site: Site, point: str) -> None:
        """F24, I3: another worker has taken over meanwhile."""
        instance = Outdated(site, f"stopped-{point}")
        site.arm(point, "SIGSTOP")
        late = site.start_worker()
        noticed = site.log().count("was taken away")
        with Writer(instance.credentials) as writer:
            instance.upgrade()
            wait_until_stopped(late)
            prompt = site.start_worker()
            assert site.wait_until_finished(instance.guid) == "succeeded", site.log()
            late.send_signal(signal.SIGCONT)
            wait_for(
                lambda: site.log().count("was taken away") > noticed,
                "the late one to notice",
            )
            end(late)
        instance.assert_upgraded(writer)
        instance.remove()
        end(prompt)


class TestDeletedInUpgrade:
    @pytest.mark.parametrize("point", DELETED)
    def test_nothing_is_left(self, site: Site, point: str) -> None:
        """F4, F103: DELETE overtakes; what wakes up late cleans up."""
        instance = Outdated(site, f"deleted-{point}")
        site.arm(point, "SIGSTOP")
        late = site.start_worker()
        instance.upgrade()
        wait_until_stopped(late)
        prompt = site.start_worker()
        instance.remove()
        late.send_signal(signal.SIGCONT)
        wait_for(lambda: not site.containers(), "the late container to go", limit_s=60)
        end(late, prompt)
