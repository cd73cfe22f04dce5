"""The same request many times at once, over real connections to the database."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from unittest import mock

from django.db import connection
from django.test import TransactionTestCase

from instances.models import Broker, Operation, ServiceBinding, ServiceInstance
from instances.operations import provision, waiting
from tests.fakes import check_invariants, drain, make_plan
from tests.osbapi.base import Platform

TIMES = 6


class ConcurrencyTest(Platform, TransactionTestCase):
    def at_once(self, *requests: Callable[[], Any]) -> list[Any]:
        """Send the requests from a thread each, all let go together."""
        gate = threading.Barrier(len(requests))

        def send(request: Callable[[], Any]) -> Any:
            gate.wait(10)
            try:
                return request()
            finally:
                connection.close()

        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(send, requests))

    def statuses(self, answers: list[Any]) -> Counter[int]:
        return Counter(answer.status_code for answer in answers)

    def test_identical_provisions_are_one(self):
        """OSB-CHECKLIST 146 (F8, I7)."""
        answers = self.at_once(*[self.put] * TIMES)
        assert self.statuses(answers) == {202: TIMES}
        assert len({answer.json()["operation"] for answer in answers}) == 1
        drain()
        check_invariants(self.world)

    def test_different_provisions_of_one_id_are_one_and_conflicts(self):
        make_plan("plan-2")
        other = [lambda: self.put(plan_id="plan-2")] * 3
        statuses = self.statuses(self.at_once(*[self.put] * 3, *other))
        assert statuses == {202: 3, 409: 3}
        assert ServiceInstance.objects.count() == 1

    def test_provisions_of_many_ids_disturb_nobody(self):
        """F113."""
        requests = [lambda n=n: self.put(f"i-{n}") for n in range(TIMES)]
        assert self.statuses(self.at_once(*requests)) == {202: TIMES}
        drain()
        check_invariants(self.world)

    def test_provisions_of_two_plans_share_the_limit_in_all(self):
        """S60: no plan's lock holds the other back."""
        Broker.objects.update_or_create(id=1, defaults={"instance_limit": 1})
        make_plan("plan-2")
        other = threading.Barrier(2)

        def meet(*_: Any) -> None:
            """Both have counted, and neither has added its own: never, with a lock."""
            with suppress(threading.BrokenBarrierError):
                other.wait(2)

        self.enterContext(mock.patch.object(provision, "check_limits", meet))
        answers = self.at_once(self.put, lambda: self.put("i-2", plan_id="plan-2"))
        assert self.statuses(answers) == {202: 1, 400: 1}
        assert ServiceInstance.objects.count() == 1

    def test_synchronous_provisions_share_no_port(self):
        """I2, S60."""
        requests = [lambda n=n: self.put(f"i-{n}", is_async=False) for n in range(4)]
        assert self.statuses(self.at_once(*requests)) == {201: 4}
        check_invariants(self.world)

    def test_identical_binds_are_one_user(self):
        """F69."""
        instance = self.ready()
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 10))
        answers = self.at_once(*[self.bind] * TIMES)
        assert self.statuses(answers) == {201: 1, 200: TIMES - 1}
        assert len({answer.content for answer in answers}) == 1
        assert len(self.world.users_of(instance)) == 1

    def test_many_binds_of_one_instance_all_succeed(self):
        """F69: one push of many apps."""
        instance = self.ready()
        requests = [lambda n=n: self.bind(f"b-{n}") for n in range(TIMES)]
        assert self.statuses(self.at_once(*requests)) == {201: TIMES}
        assert len(self.world.users_of(instance)) == TIMES

    def test_identical_unbinds_end_the_user_once(self):
        """F72."""
        instance = self.ready()
        self.bind()
        self.enterContext(mock.patch.object(waiting, "PATIENCE_S", 10))
        statuses = self.statuses(self.at_once(*[self.unbind] * TIMES))
        assert statuses == {200: 1, 410: TIMES - 1}
        assert self.world.users_of(instance) == []

    def test_identical_deprovisions_are_one(self):
        """F14."""
        self.ready()
        answers = self.at_once(*[self.delete] * TIMES)
        assert self.statuses(answers) == {202: TIMES}
        assert len({answer.json()["operation"] for answer in answers}) == 1

    def test_a_bind_against_a_deprovision_leaves_nothing(self):
        """F103, I6."""
        self.ready()
        binds = [lambda n=n: self.bind(f"b-{n}") for n in range(4)]
        answers = self.at_once(*binds, self.delete)
        assert set(self.statuses(answers)) <= {201, 202, 422}
        drain()
        assert self.world.containers() == []
        assert set(ServiceBinding.objects.values_list("state", flat=True)) <= {"gone"}
        assert not Operation.objects.unfinished().exists()

    def test_whatever_collides_is_no_fault(self):
        """F118: which of two transactions has to wait is the broker's business."""
        guids = ("i-1", "i-2", "i-3")

        def life(number: int) -> list[Any]:
            guid, binding = guids[number % 3], f"b-{number}"
            return [
                self.put(guid, is_async=False),
                self.bind(binding, instance=guid),
                self.unbind(binding, instance=guid),
                self.delete(guid, is_async=False),
            ]

        parts = self.at_once(*[partial(life, number) for number in range(12)])
        found = Counter(answer.status_code for part in parts for answer in part)
        assert max(found) < 500, found
        assert found[200] + found[201] > 0, found
        for guid in guids:
            self.delete(guid)
        drain()
        assert self.world.containers() == []
        assert not Operation.objects.unfinished().exists()
