"""Many at once, a port that is taken, a host that is down, a restart in the middle."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest

from tests.system.site import Site, can_log_in, connect, wait_until_stopped


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        site.start_worker()
        yield site


@pytest.fixture(autouse=True)
def _leaves_nothing(site: Site) -> Iterator[None]:
    yield
    for (guid,) in site.rows(
        "SELECT guid FROM instances_serviceinstance WHERE live_key IS NOT NULL"
    ):
        site.deprovision(guid)
        assert site.wait_until_finished(guid) == "succeeded"
    assert site.containers() == []
    assert site.leased_ports() == []


class TestAtOnce:
    def test_identical_puts_make_one_container(self, site: Site) -> None:
        """F8, I7: one creates; the others get its operation, or find it done."""
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: site.provision("same"), range(8)))
        assert {answer.status for answer in answers} <= {200, 202}
        operations = {a.body["operation"] for a in answers if a.status == 202}
        assert len(operations) == 1
        assert site.wait_until_finished("same") == "succeeded"
        assert len(site.containers()) == 1

    def test_many_binds_at_once_all_work(self, site: Site) -> None:
        """F69: binds share the instance; one push of many apps does that."""
        site.provisioned("shared")
        with ThreadPoolExecutor(8) as pool:
            names = [f"b{number}" for number in range(16)]
            answers = list(pool.map(lambda name: site.bind("shared", name), names))
        assert [answer.status for answer in answers] == [201] * 16
        assert all(can_log_in(answer.body["credentials"]) for answer in answers)

    def test_same_bind_at_once_gives_one_user(self, site: Site) -> None:
        """F69: one creates, the others wait for it and get its credentials."""
        site.provisioned("twice")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: site.bind("twice"), range(6)))
        assert sorted(answer.status for answer in answers) == [200] * 5 + [201]
        assert len({answer.body["credentials"]["uri"] for answer in answers}) == 1

    def test_deletes_at_once_are_one_operation(self, site: Site) -> None:
        """F14: all join the first one, or find it done."""
        site.provisioned("deleted")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: site.deprovision("deleted"), range(6)))
        assert {answer.status for answer in answers} <= {202, 410}
        operations = {a.body["operation"] for a in answers if a.status == 202}
        assert len(operations) == 1

    def test_different_instances_get_different_ports(self, site: Site) -> None:
        """I2: one lease per port."""
        guids = [f"many{number}" for number in range(6)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(site.provisioned, guids))
        assert len(set(site.leased_ports())) == 6


class TestPortTaken:
    def test_another_port_is_used(self, site: Site) -> None:
        """F54: a stranger listens on the port that comes next."""
        sql = "SELECT port_min, port_max FROM instances_dockerhost"
        ((low, high),) = site.rows(sql)
        known = "SELECT number FROM instances_portlease"
        busy = {number for (number,) in site.rows(known)}
        taken = next(number for number in range(low, high) if number not in busy)
        with socket.create_server(("127.0.0.1", taken)):
            site.provisioned("elsewhere")
            credentials = site.bind("elsewhere").body["credentials"]
        assert credentials["port"] not in (taken, *busy)
        assert can_log_in(credentials)


class TestDockerDown:
    def test_operation_fails_with_a_sentence_and_the_site_lives(
        self, site: Site
    ) -> None:
        """F32: accepted, retried, given up; the deletion ends once Docker is back."""
        site.execute("UPDATE instances_dockerhost SET url = 'unix:///nowhere.sock'")
        try:
            assert site.provision("down").status == 202
            assert site.wait_until_finished("down", limit_s=90) == "failed"
            answer = site.last_operation("down").body
            assert "host cannot be reached" in answer["description"]
            assert site.request("GET", "/v2/catalog").status == 200
            assert site.deprovision("down").status == 202
            assert site.last_operation("down").body["state"] == "in progress"
        finally:
            sql = "UPDATE instances_dockerhost SET url = ?"
            site.execute(sql, site.docker_url)
        assert site.wait_until_finished("down") == "succeeded"


class TestUnbind:
    def test_open_session_cannot_write_afterwards(self, site: Site) -> None:
        """F73, I5: the user and its sessions end before the answer."""
        site.provisioned("session")
        credentials = site.bind("session").body["credentials"]
        session = connect(credentials)
        session.cursor().execute("CREATE TABLE note (text VARCHAR(20))")
        assert site.unbind("session").status == 200
        with pytest.raises(pymysql.OperationalError):
            session.cursor().execute("INSERT INTO note VALUES ('late')")
        assert not can_log_in(credentials)
        second = connect(site.bind("session", "second").body["credentials"])
        with second.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM note")
            assert cursor.fetchone() == (0,)


class TestContainerRemovedByHand:
    def test_unbind_and_deprovision_still_work(self, site: Site) -> None:
        """F49, F134: what is gone for ever holds nothing up."""
        site.provisioned("gone")
        assert site.bind("gone").status == 201
        (container,) = site.containers()
        site.docker.remove_container(container["Id"], force=True)
        assert site.unbind("gone").status == 200
        assert site.deprovision("gone").status == 202
        assert site.wait_until_finished("gone") == "succeeded"


class TestRestart:
    def test_web_and_worker_find_everything_again(self) -> None:
        """F130, I3, I4: credentials made before work after, with the same answers."""
        with Site() as site:
            worker = site.start_worker()
            web = site._processes[0]
            site.provisioned("kept")
            before = site.bind("kept").body["credentials"]
            for process in (web, worker):
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
            site.start_web()
            site.start_worker()
            assert can_log_in(before)
            again = site.bind("kept")
            assert again.status == 200
            assert again.body["credentials"] == before

    def test_sigterm_hands_a_provision_to_the_next_worker(self) -> None:
        """F28: within 8 s, not failed, and resumed."""
        with Site() as site:
            site.arm("check:before", "SIGSTOP")
            worker = site.start_worker()
            assert site.provision("handed").status == 202
            wait_until_stopped(worker)
            worker.send_signal(signal.SIGTERM)
            started_at = time.monotonic()
            os.kill(worker.pid, signal.SIGCONT)
            assert worker.wait(10) == 0
            assert time.monotonic() - started_at < 8
            site.start_worker()
            assert site.wait_until_finished("handed") == "succeeded"
            assert len(site.containers()) == 1
