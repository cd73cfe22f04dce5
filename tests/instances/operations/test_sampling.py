"""What is noted about every minute, and how long it stays."""

import threading
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import connections
from django.utils import timezone

from instances import errors
from instances.models import (
    Container,
    ContainerSample,
    DockerHost,
    HostSample,
    Kind,
    Operation,
)
from instances.models.sample import COARSE, MOST_AT_ONCE
from instances.operations import sampling
from tests.instances.base import ACTOR, DomainTestCase

DAY = timedelta(days=1)


class SamplingTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        self.instance = self.provisioned()
        self.container = self.instance.container


class Hosts(SamplingTestCase):
    def test_are_noted_from_the_rows(self):
        self.instance.operations.update(state="failed", finished_at=timezone.now())
        sampling.sample(self.host)
        found = HostSample.objects.get()
        assert (found.containers, found.instances, found.standbys) == (1, 1, 0)
        assert found.given_mb == self.container.memory_mb
        assert (found.ports, found.ports_used) == (
            self.host.port_max - self.host.port_min + 1,
            1,
        )
        assert (found.operations_running, found.operations_failed) == (0, 1)

    def test_one_that_is_down_still_has_its_row(self):
        self.world.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            sampling.sample(self.host)
        assert HostSample.objects.exists() and not ContainerSample.objects.exists()

    def test_one_that_is_deleted_leaves_no_trouble(self):
        other = DockerHost.objects.create(
            name="other", url="unix:///o", publish_address="127.0.0.1", memory_mb=1
        )
        sampling.sample_host(other, timezone.now())
        other.delete()
        assert HostSample.objects.count() == 1


class Containers(SamplingTestCase):
    def sample(self):
        sampling.sample_containers(self.host)

    def test_are_noted_with_their_connections(self):
        binding = self.bound(self.instance)
        session = self.log_in(binding)
        self.sample()
        found = ContainerSample.objects.get()
        assert found.container == self.container and found.memory_bytes > 0
        assert found.connections == 1
        binding.refresh_from_db()
        assert binding.connected_at == found.at
        session.close()
        self.sample()
        assert ContainerSample.objects.last().connections == 0
        before = binding.connected_at
        binding.refresh_from_db()
        assert binding.connected_at == before

    def test_a_database_that_does_not_answer_has_all_but_connections(self):
        self.world.engine.is_down = True
        self.sample()
        assert ContainerSample.objects.get().connections is None

    def test_what_an_operation_has_in_hand_is_left_alone(self):
        """F46: nobody looks into what is being committed."""
        Operation.objects.enqueue(Kind.BACK_UP, self.instance, actor=ACTOR)
        self.sample()
        assert not ContainerSample.objects.exists()

    def test_standbys_and_gone_ones_are_not_asked(self):
        for state in ("standby", "retiring", "gone"):
            Container.objects.update(state=state)
            self.sample()
        assert "usage" not in self.faults.calls

    def test_more_than_fit_have_their_turns(self):
        self.provisioned("i-2")
        with patch.object(sampling, "MOST_CONTAINERS", 1):
            for minute in (10, 11, 12):
                with patch("time.time", return_value=minute * 60.0):
                    rows = sampling._whose_turn(self.host)
                    ContainerSample.objects.create(
                        **{**SMALL, "container": rows[0], "at": timezone.now()}
                    )
        keys = ContainerSample.objects.order_by("pk").values_list(
            "container_id", flat=True
        )
        assert keys[0] == keys[2] != keys[1]

    def test_one_of_ten_minutes_is_coarse(self):
        at = timezone.now().replace(minute=10, second=0)
        for minute in (0, 3, 9, 10):
            with patch.object(
                sampling.timezone, "now", return_value=at + timedelta(minutes=minute)
            ):
                self.sample()
        kept = ContainerSample.objects.filter(is_coarse=True).values_list("at")
        assert [row[0].minute for row in kept.order_by("at")] == [10, 20]


class ManyDatabases(SamplingTestCase):
    """I13: one that says nothing delays nobody but itself."""

    def setUp(self):
        super().setUp()
        rows = [self.instance, *(self.provisioned(f"i-{n}") for n in range(2, 6))]
        self.containers = [row.container for row in rows]
        self.asked = type(self.world.engine).sessions

    @contextmanager
    def silent(self, *containers):
        """They say nothing until this ends, and that is long after any limit."""
        ports, ended = {row.port for row in containers}, threading.Event()

        def sessions(engine, endpoint):
            if endpoint.port in ports:
                ended.wait(60)
            return self.asked(engine, endpoint)

        try:
            with self.asking(sessions), patch.object(sampling, "LIMIT_S", 0.5):
                yield
        finally:
            ended.set()

    def asking(self, sessions):
        return patch.object(type(self.world.engine), "sessions", sessions)

    def sample(self):
        """What each container's row says of its connections."""
        former = list(ContainerSample.objects.values_list("pk", flat=True))
        sampling.sample_containers(self.host)
        rows = ContainerSample.objects.exclude(pk__in=former)
        return {row.container: row.connections for row in rows}

    def test_are_asked_side_by_side(self):
        meeting = threading.Barrier(len(self.containers))

        def sessions(engine, endpoint):
            meeting.wait(60)  # one after another would never meet
            return self.asked(engine, endpoint)

        with self.asking(sessions):
            assert self.sample() == dict.fromkeys(self.containers, 0)

    def test_silent_ones_have_all_but_connections(self):
        silent = self.containers[:2]
        with self.silent(*silent):
            found = self.sample()
        expected = dict.fromkeys(self.containers, 0) | dict.fromkeys(silent)
        assert found == expected

    def test_more_silent_ones_than_threads_come_last(self):
        """Once known: else they would take the others' time in every minute."""
        silent, others = self.containers[:2], self.containers[2:]

        def silent_first(rows):
            rows.sort(key=lambda row: row not in silent)

        with (
            patch.object(sampling, "AT_ONCE", len(silent)),
            patch("random.shuffle", silent_first),
            self.silent(*silent),
        ):
            assert set(self.sample().values()) == {None}
            for row in others:
                fields = {**SMALL, "container": row, "connections": 0}
                ContainerSample.objects.create(at=timezone.now(), **fields)
            assert self.sample() == dict.fromkeys(others, 0) | dict.fromkeys(silent)

    def test_nobody_is_always_the_last(self):
        orders = {
            tuple(row.pk for row in sampling._likely_first(list(self.containers)))
            for _ in range(50)
        }
        assert len({order[-1] for order in orders}) == len(self.containers)

    def test_a_thread_leaves_no_connection_to_the_broker_s_database(self):
        used = []

        def sessions(engine, endpoint):
            connections["default"].ensure_connection()
            used.append(connections["default"])
            return self.asked(engine, endpoint)

        with self.asking(sessions):
            self.sample()
        assert len(used) == len(self.containers)
        assert {line.connection for line in used} == {None}

    def test_a_mistake_in_an_engine_is_not_kept_quiet(self):
        def sessions(engine, endpoint):
            raise ZeroDivisionError

        with self.asking(sessions), pytest.raises(ZeroDivisionError):
            self.sample()


SMALL = dict.fromkeys(
    (
        *("cpu_ms", "memory_bytes", "received_bytes", "sent_bytes"),
        *("read_bytes", "written_bytes", "processes"),
    ),
    0,
)


class Thinning(SamplingTestCase):
    def make(self, age, **fields):
        fields = {**SMALL, "container": self.container, **fields}
        return ContainerSample.objects.create(at=timezone.now() - age, **fields)

    def test_a_day_of_minutes_and_a_week_of_ten(self):
        """S59."""
        kept = [
            self.make(DAY - COARSE),
            self.make(DAY - COARSE, is_coarse=True),
            self.make(2 * DAY, is_coarse=True),
        ]
        self.make(DAY + COARSE)
        self.make(7 * DAY + COARSE, is_coarse=True)
        sampling.thin()
        assert set(ContainerSample.objects.all()) == set(kept)

    def test_many_go_in_batches(self):
        ContainerSample.objects.bulk_create(
            ContainerSample(
                **SMALL, container=self.container, at=timezone.now() - 2 * DAY
            )
            for _ in range(MOST_AT_ONCE + 1)
        )
        with patch.object(sampling, "MOST_BATCHES", 1):
            sampling.thin()
        assert ContainerSample.objects.count() == 1
        sampling.thin()
        assert not ContainerSample.objects.exists()
