"""What a container host tells of itself and of sizes, and how it stops a database."""

import time
from functools import partial

import pytest

from instances import errors
from instances.containers import BROKER_LABEL
from tests.docker import engine_under_test as real

MIB = 2**20


class MeasuringContract:
    """Facts that ContainerHostContract has among its own."""

    def test_describe_names_the_engine_and_its_memory(self):
        description = self.host.describe()
        assert description.engine_id
        assert description.memory_mb > 256

    def test_an_image_tells_how_much_is_free(self):
        """F92."""
        for _ in range(2):
            free = self.host.free_bytes(real.IMAGE, broker_id=self.broker_id)
            assert free is not None and free > MIB

    def test_an_image_that_is_not_there_tells_nothing(self):
        nowhere = "brokersite/no-such:1"
        assert self.host.free_bytes(nowhere, broker_id=self.broker_id) is None

    def size_of(self, name: str) -> int:
        return self.host.sizes(broker_id=self.broker_id)[name]

    def test_what_a_container_writes_is_measured(self):
        spec = self.started()
        before = self.size_of(spec.name)
        self.grow(spec, 8 * MIB)
        assert 8 * MIB <= self.size_of(spec.name) - before < 80 * MIB

    def test_a_container_that_does_not_run_is_measured_too(self):
        """It is one that was stopped for its size."""
        spec = self.started()
        self.grow(spec, 8 * MIB)
        self.host.stop(spec.name, limit_s=10)
        assert self.size_of(spec.name) >= 8 * MIB
        assert self.size_of(self.created().name) < MIB

    def test_sizes_are_those_of_this_broker(self):
        """S8."""
        ours = self.created()
        labels = {**ours.labels, BROKER_LABEL: f"{self.broker_id}-other"}
        theirs = self.created(labels=labels)
        sizes = self.host.sizes(broker_id=self.broker_id)
        assert ours.name in sizes and theirs.name not in sizes

    def test_a_stopped_container_stays_until_it_is_started(self):
        spec = self.started()
        for _ in range(2):
            self.host.stop(spec.name, limit_s=10)
            assert self.find(spec).state == "exited"
        assert not self.is_published(spec)
        self.host.start(spec.name)
        assert self.find(spec).is_running
        deadline = time.monotonic() + 20
        while not self.is_published(spec):
            assert time.monotonic() < deadline

    def test_starting_or_stopping_what_is_not_there_is_a_failure(self):
        for act in (self.host.start, partial(self.host.stop, limit_s=1)):
            with pytest.raises(errors.ContainerFailed):
                act("brokersite-test-nobody")

    def test_sizes_and_a_stop_say_that_a_dead_host_is_unreachable(self):
        """F32."""
        host = self.unreachable_host()
        with pytest.raises(errors.HostUnreachable):
            host.stop("brokersite-test-nobody", limit_s=1)
        with pytest.raises(errors.HostUnreachable):
            host.sizes(broker_id=self.broker_id)
        with pytest.raises(errors.HostUnreachable):
            host.free_bytes(real.IMAGE, broker_id=self.broker_id)
