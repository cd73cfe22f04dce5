"""A host is drained under load: all that was acknowledged is on the other one.

Two databases of each engine move over TLS, with apps that write all the time, a backup
that only the first host has, and images that the second one lacks.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import docker
import pytest

from tests.system import backups
from tests.system.docker_lab import Lab, cannot_run
from tests.system.engine_apps import APPS, App
from tests.system.site import NUMBERS, OFFERING, PLAN, Site, connect, wait_for

IMAGES = ("brokersite/postgres:15", "brokersite/redis:7.0")
FLEET = [(f"{engine}-{n}", engine) for engine in NUMBERS for n in (1, 2)]
ACTOR = (
    "from instances.models import Actor, DockerHost\nfrom instances.operations import"
)
HOST = "host = DockerHost.objects.get(name='first')\n"
OLGA = "Actor(kind='operator', name='olga')"
DRAIN = (
    f"{ACTOR} drain\n{HOST}drain.accept(host, at_once=2, is_safe=False, actor={OLGA})"
)
REMOVE = f"{ACTOR} remove_host\n{HOST}remove_host.accept(host, actor={OLGA})"


class MariaDBApp:
    def __init__(self, credentials: dict[str, Any]) -> None:
        self._credentials = credentials

    def _run(self, statement: str) -> list[Any]:
        with connect(self._credentials) as session, session.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def open(self) -> None:
        self._run("CREATE TABLE facts (n INT)")

    def add(self, number: int) -> None:
        self._run(f"INSERT INTO facts VALUES ({number})")

    def numbers(self) -> list[int]:
        return [n for (n,) in self._run("SELECT n FROM facts ORDER BY n")]


APP_OF: dict[str, Callable[[dict[str, Any]], Any]] = {**APPS, "mariadb": MariaDBApp}


class Writer:
    """An app that writes numbers down; when nobody answers, it asks for the address.

    That is what a bind and a restage come to.
    """

    def __init__(self, site: Site, guid: str, engine: str) -> None:
        self.site, self.guid, self.engine = site, guid, engine
        self.written: list[int] = []
        self.longest_s = 0.0
        self.app: App = APP_OF[engine](self.credentials())
        self.app.open()

    def credentials(self) -> dict[str, Any]:
        path = f"/v2/service_instances/{self.guid}/service_bindings/b"
        answer = self.site.request("GET", path)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.body["credentials"]
        return found

    def write(self, is_over: threading.Event) -> None:
        number, last_at = 0, time.monotonic()
        while not is_over.is_set():
            number += 1
            try:
                self.app.add(number)
            except Exception:
                self.app = APP_OF[self.engine](self.credentials())
                is_over.wait(0.2)
                continue
            self.written.append(number)
            self.longest_s = max(self.longest_s, time.monotonic() - last_at)
            last_at = time.monotonic()
            is_over.wait(0.2)


@contextmanager
def writing(writers: list[Writer]) -> Iterator[None]:
    is_over = threading.Event()
    threads = [
        threading.Thread(target=row.write, args=(is_over,), daemon=True)
        for row in writers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd")
@pytest.mark.timeout(400)
def test_a_host_is_drained_under_load_and_removed() -> None:
    """I1, I2, I3, I4, F42: nothing is lost, and nothing stays behind."""
    with Lab() as lab:
        first, second = lab.hosts
        load(first.api)
        with lab.site() as site:
            site.start_worker()
            for guid, engine in FLEET:
                number = NUMBERS[engine]
                site.ids = {
                    "service_id": f"{OFFERING[:-1]}{number}",
                    "plan_id": f"{PLAN[:-2]}{number}1",
                }
                site.provisioned(guid)
                assert site.bind(guid).status == 201
            backups.back_up(site, FLEET[0][0])
            backups.wait_until_verified(site)
            lab.add_others(site)
            writers = [Writer(site, guid, engine) for guid, engine in FLEET]
            with writing(writers):
                wait_for(lambda: all(len(row.written) > 5 for row in writers), "load")
                started_at = time.monotonic()
                site.manage("shell", "-c", DRAIN)
                wait_for(lambda: is_drained(site), "the drain to end", limit_s=200)
                took = time.monotonic() - started_at
                marks = [len(row.written) for row in writers]
                wait_for(lambda: have_gone_on(writers, marks), "all to write again")
            check(site, writers, second.address)
            report(site, writers, took)
            nothing_is_left(first.api)
            site.manage("shell", "-c", REMOVE)
            states = site.rows("SELECT state, name FROM instances_dockerhost")
            assert sorted(state for state, _ in states) == ["active", "removed"]
            api = docker.APIClient(second.url, version="1.41")
            for container in site.containers():
                raise AssertionError(container)
            for container in api.containers(all=True):
                api.remove_container(container["Id"], v=True, force=True)


def load(api: docker.APIClient) -> None:
    source = docker.APIClient("unix:///var/run/docker.sock", version="1.41")
    for image in IMAGES:
        for _ in api.load_image(source.get_image(image)):
            pass


def is_drained(site: Site) -> bool:
    here = "(SELECT id FROM instances_dockerhost WHERE name = 'first')"
    looks = (
        f"instances_container WHERE state <> 'gone' AND host_id = {here}",
        f"instances_backup WHERE state <> 'gone' AND host_id = {here}",
        f"instances_backupcopy WHERE state <> 'gone' AND host_id = {here}",
    )
    left = sum(site.rows(f"SELECT count(*) FROM {look}")[0][0] for look in looks)
    images = site.rows(
        "SELECT present_images FROM instances_dockerhost WHERE name = 'first'"
    )
    return not left and json.loads(images[0][0] or "[0]") == []


def have_gone_on(writers: list[Writer], marks: list[int]) -> bool:
    return all(
        len(row.written) > mark for row, mark in zip(writers, marks, strict=True)
    )


def check(site: Site, writers: list[Writer], address: str) -> None:
    for row in writers:
        credentials = row.credentials()
        assert credentials["hostname"] == address, row.guid
        found = APP_OF[row.engine](credentials).numbers()
        missing = set(row.written) - set(found)
        assert not missing, (row.guid, sorted(missing)[:5], len(row.written))
        assert len(found) == len(set(found)), row.guid
    stale = (
        "SELECT count(*) FROM instances_servicebinding WHERE stale_since IS NOT NULL"
    )
    assert site.rows(stale)[0][0] == len(FLEET)


def nothing_is_left(api: docker.APIClient) -> None:
    assert api.containers(all=True) == []
    names = [name for image in api.images() for name in image["RepoTags"] or ()]
    assert [name for name in names if name.startswith("brokersite/")] == []


def report(site: Site, writers: list[Writer], took: float) -> None:
    print(f"{len(FLEET)} service instances in {took:.1f} s, two at once")
    rows = site.rows(
        "SELECT i.guid, o.started_at, o.finished_at FROM instances_operation o"
        " JOIN instances_serviceinstance i ON i.id = o.instance_id"
        " WHERE o.kind = 'move' AND o.state = 'succeeded'"
    )
    lasted = {
        guid: (datetime.fromisoformat(end) - datetime.fromisoformat(start))
        for guid, start, end in rows
    }
    for row in writers:
        print(
            f"{row.guid}: moved in {lasted[row.guid].total_seconds():.1f} s, "
            f"no write for {row.longest_s:.1f} s, {len(row.written)} writes kept"
        )
