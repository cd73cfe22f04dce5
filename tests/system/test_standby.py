"""Standby containers with real processes and Docker: handed out once, replaced."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.site import PLAN, Site, can_log_in, connect, wait_for

STANDBYS = 2


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(autouse=True)
def _begins_and_ends_with_nothing(site: Site) -> Iterator[None]:
    """Each test finds a full set and leaves as many standbys as it found."""
    keep(site, STANDBYS)
    worker = site.start_worker()
    wait_until_standing_by(site)
    worker.terminate()
    assert worker.wait(10) == 0
    yield
    keep(site, 0)
    worker = site.start_worker()
    wait_for(lambda: not site.containers(), "the standbys to go", limit_s=60)
    wait_for(lambda: not site.leased_ports(), "their ports to be free")
    worker.terminate()
    assert worker.wait(10) == 0


def keep(site: Site, number: int) -> None:
    sql = "UPDATE instances_serviceplan SET standby = ? WHERE id = ?"
    site.execute(sql, number, PLAN)


def standbys(site: Site) -> set[str]:
    """Ids of the containers that are ready to be handed out."""
    sql = "SELECT id FROM instances_container WHERE state = 'standby'"
    return {found for (found,) in site.rows(sql)}


def wait_until_standing_by(site: Site) -> set[str]:
    """Until there are as many as there should be, and nothing else but instances'."""

    def all_of_them() -> set[str]:
        sql = "SELECT state FROM instances_container WHERE state IN (?, ?)"
        others = site.rows(sql, "starting", "retiring")
        found = standbys(site)
        return found if len(found) == STANDBYS and not others else set()

    return wait_for(all_of_them, "the standbys to be ready", limit_s=60)


def container_of(site: Site, guid: str) -> str:
    """The id of the instance's container, once the instance is ready."""
    assert site.wait_until_finished(guid) == "succeeded", site.log()
    sql = "SELECT container_id FROM instances_serviceinstance WHERE guid = ?"
    ((container,),) = site.rows(sql, guid)
    return str(container)


def deprovisioned(site: Site, guid: str) -> None:
    assert site.deprovision(guid).status == 202
    assert site.wait_until_finished(guid) == "succeeded"


def retire(site: Site, number: int) -> None:
    site.execute(
        "UPDATE instances_container SET state = 'retiring' WHERE id IN (SELECT id"
        " FROM instances_container WHERE state = 'standby' LIMIT ?)",
        number,
    )


def reconcile_soon(site: Site) -> None:
    site.execute("UPDATE instances_dockerhost SET reconcile_after = NULL")


def names(site: Site) -> set[str]:
    """The ids of all containers that Docker has of this broker."""
    label = "brokersite.container"
    return {found["Labels"][label] for found in site.containers()}


def test_instances_get_one_each_and_they_are_replaced(site: Site) -> None:
    """F64, I1."""
    guids = ("one", "two", "three")
    before = standbys(site)
    # At once, and before there is a worker that could start a third one.
    with ThreadPoolExecutor(len(guids)) as pool:
        statuses = [answer.status for answer in pool.map(site.provision, guids)]
    assert sorted(statuses) == [201, 201, 202]
    worker = site.start_worker()
    containers = {guid: container_of(site, guid) for guid in guids}
    assert len(set(containers.values())) == 3
    assert before < set(containers.values())
    after = wait_until_standing_by(site)
    assert not after & set(containers.values())
    assert names(site) == after | set(containers.values())
    for guid in containers:
        credentials = site.bind(guid).body["credentials"]
        with connect(credentials) as session, session.cursor() as cursor:
            cursor.execute("CREATE TABLE own (id INT)")
    deprovisioned(site, "one")
    assert names(site) == after | {containers["two"], containers["three"]}
    assert can_log_in(site.bind("two", "second").body["credentials"])
    for guid in ("two", "three"):
        deprovisioned(site, guid)
    assert names(site) == standbys(site) == after
    worker.terminate()
    assert worker.wait(10) == 0


@pytest.mark.parametrize(
    "point",
    ["create:before", "create:after", "start:before", "start:after", "check:after"],
)
def test_a_killed_worker_leaves_neither_too_few_nor_too_many(
    site: Site, point: str
) -> None:
    """F22: killed while it starts one."""
    retire(site, 1)
    site.arm(point)
    assert site.start_worker().wait(30) == -signal.SIGKILL
    worker = site.start_worker()
    reconcile_soon(site)
    found = wait_until_standing_by(site)
    wait_for(lambda: names(site) == found, "Docker to have no others", limit_s=60)
    assert len(site.leased_ports()) == STANDBYS
    worker.terminate()
    assert worker.wait(10) == 0


def test_two_workers_keep_as_many_as_one(site: Site) -> None:
    retire(site, STANDBYS)
    workers = [site.start_worker() for _ in range(2)]
    reconcile_soon(site)
    found = wait_until_standing_by(site)
    wait_for(lambda: names(site) == found, "Docker to have no others", limit_s=60)
    for worker in workers:
        worker.terminate()
    assert [worker.wait(10) for worker in workers] == [0, 0]
