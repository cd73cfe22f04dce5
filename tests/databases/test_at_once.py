"""Many processes on one database: what must happen once happens once."""

import time
from collections import Counter

import pytest
from django.db import OperationalError, transaction
from django.test import TransactionTestCase

from instances import errors
from instances.models import (
    Container,
    DockerHost,
    Kind,
    Operation,
    PortLease,
    ServiceInstance,
    Tombstone,
)
from instances.operations import deprovision
from instances.transactions import is_passing, repeated
from tests.databases.processes import in_processes, meet
from tests.fakes import make_host, make_plan
from tests.instances.base import ACTOR, Wishes

pytestmark = pytest.mark.timeout(600)
RESERVERS, EACH = 8, 200
CLAIMERS, OPERATIONS = 4, 1000
PAIRS = 200
LONGEST_CREATION_S = 0.04


@repeated
def reserve(host_id: int, plan_id: str) -> int:
    with transaction.atomic():
        host = DockerHost.objects.select_for_update().get(pk=host_id)
        container = Container.objects.create(
            host=host, plan_id=plan_id, image="i", memory_mb=1, cpus=1, pids=1
        )
        return PortLease.objects.reserve(container, host).number


def reserve_many(number: int, host_id: int, plan_id: str) -> list[int]:
    """As workers do, who try again where a busy database has turned them away."""
    ports: list[int] = []
    while len(ports) < EACH:
        try:
            ports.append(reserve(host_id, plan_id))
        except OperationalError as error:
            if not is_passing(error):
                raise
    return ports


def claim_until_none(number: int) -> list[str]:
    claimed = []
    while Operation.objects.filter(state="queued").exists():
        operation = Operation.objects.claim_next(f"claimer-{number}")
        if operation is not None:
            claimed.append(operation.pk.hex)
    return claimed


def create(guids: list[str]) -> list[bool]:
    """Whether each was served."""
    served = []
    for guid in guids:
        meet()
        try:
            Wishes().accept_provision(guid)
            served.append(True)
        except errors.Conflict:
            served.append(False)
    return served


def delete(guids: list[str], plan_id: str) -> list[bool]:
    """Whether each was there."""
    found = []
    for number, guid in enumerate(guids):
        meet()
        # From before the creation has begun until after it has ended.
        time.sleep(number / len(guids) * LONGEST_CREATION_S)
        found.append(deprovision.find_or_bury(guid, plan_id) is not None)
    return found


def create_or_delete(number: int, guids: list[str], plan_id: str) -> list[bool]:
    return delete(guids, plan_id) if number else create(guids)


class AtOnceTest(Wishes, TransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plan = make_plan()
        self.host = make_host(port_max=31999)

    def test_no_port_is_leased_twice(self):
        """I2: eight processes, two hundred ports each."""
        began_at = time.monotonic()
        given = self.host.pk, self.plan.pk
        found = [
            n for part in in_processes(RESERVERS, reserve_many, *given) for n in part
        ]
        print(f"{len(found)} ports in {time.monotonic() - began_at:.1f} s")
        assert len(found) == len(set(found)) == RESERVERS * EACH
        # The lowest free one each time: none is lost either.
        first = self.host.port_min
        assert sorted(found) == list(range(first, first + len(found)))
        assert PortLease.objects.filter(container__isnull=False).count() == len(found)

    def test_each_operation_is_claimed_once(self):
        """I7: four processes, a thousand operations."""
        instance = self.accept_provision()
        Operation.objects.all().cancel("not of interest")
        template = Operation.objects.enqueue(Kind.BIND, instance, actor=ACTOR)
        template.refresh_from_db()
        fields = ("kind", "instance_id", "requested_by", "not_before", "deadline_at")
        values = {name: getattr(template, name) for name in fields}
        rows = [Operation(**values) for _ in range(OPERATIONS - 1)]
        Operation.objects.bulk_create(rows)
        began_at = time.monotonic()
        parts = in_processes(CLAIMERS, claim_until_none)
        print(f"{OPERATIONS} claims in {time.monotonic() - began_at:.1f} s")
        claims = Counter(pk for part in parts for pk in part)
        assert len(claims) == OPERATIONS and set(claims.values()) == {1}
        attempts = Operation.objects.filter(state="running").values_list("attempts")
        assert Counter(attempts) == {(1,): OPERATIONS}
        assert all(parts), "every process has had some"

    def test_a_creation_and_its_deletion_see_each_other(self):
        """F5, I10: what is not there for the one is refused to the other."""
        guids = [f"i-{number}" for number in range(PAIRS)]
        served, found = in_processes(2, create_or_delete, guids, self.plan.pk)
        assert served == found
        print(f"{sum(served)} of {PAIRS} were created first")
        assert ServiceInstance.objects.count() == sum(served)
        assert Tombstone.objects.count() == PAIRS - sum(served)
