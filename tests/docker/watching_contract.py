"""What a container host shows to whoever looks at a container."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from instances import errors
from instances.containers import BROKER_LABEL

MIB = 2**20


class WatchingContract:
    """Facts that ContainerHostContract has among its own."""

    def usage_of(self, spec):
        return self.host.usage([spec.name], limit_s=20).get(spec.name)

    def started_used(self):
        """One that runs and whose first figures are there."""
        spec = self.started()
        deadline = time.monotonic() + 20
        while (usage := self.usage_of(spec)) is None:
            assert time.monotonic() < deadline
        return spec, usage

    def test_a_running_container_tells_what_it_uses(self):
        _, usage = self.started_used()
        assert abs(usage.at - timezone.now()) < timedelta(minutes=1)
        assert MIB // 4 < usage.memory_bytes <= 256 * MIB
        assert usage.processes >= 1

    def test_times_and_bytes_only_grow(self):
        spec, before = self.started_used()
        deadline = time.monotonic() + 20
        while (after := self.usage_of(spec)).cpu_ms <= before.cpu_ms:
            assert time.monotonic() < deadline
        assert after.at > before.at
        for name in ("received_bytes", "sent_bytes", "read_bytes", "written_bytes"):
            assert getattr(after, name) >= getattr(before, name), name

    def test_of_many_each_that_runs_tells(self):
        running = [self.started().name for _ in range(2)]
        stopped, nobody = self.created().name, "brokersite-test-nobody"
        asked = [*running, stopped, nobody]
        deadline = time.monotonic() + 20
        while set(self.host.usage(asked, limit_s=20)) != set(running):
            assert time.monotonic() < deadline

    def test_without_time_nobody_tells(self):
        spec = self.started()
        assert len(self.host.usage([spec.name], limit_s=20)) <= 1
        assert self.host.usage([], limit_s=20) == {}

    def test_log_lines_are_the_last_with_times_and_without_control_characters(self):
        """S44, S50."""
        spec = self.started()
        self.write_log(spec, "first\n\x1b[31mred\x1b[0m\x07 bell\nlast\n")
        found = self.host.log_lines(spec.name, lines=2)
        assert [line.text for line in found] == ["red bell", "last"]
        assert all(line.stream == "stdout" for line in found)
        assert abs(found[0].at - timezone.now()) < timedelta(minutes=1)

    def test_log_lines_since_a_moment(self):
        spec = self.started()
        self.write_log(spec, "early\n")
        soon = timezone.now() + timedelta(hours=1)
        assert self.host.log_lines(spec.name, lines=5, since=soon) == []

    def test_a_long_line_is_cut(self):
        spec = self.started()
        self.write_log(spec, "x" * 5_000 + "\n")
        (line,) = self.host.log_lines(spec.name, lines=1)
        assert set(line.text) == {"x"} and len(line.text) == 2_000

    def test_a_running_container_shows_its_processes(self):
        spec = self.started()
        deadline = time.monotonic() + 20
        while not (rows := self.host.processes(spec.name)):
            assert time.monotonic() < deadline
        assert rows[0]["CMD"] and rows[0]["PID"]

    def test_a_stopped_or_unknown_one_shows_nothing(self):
        for name in (self.created().name, "brokersite-test-nobody"):
            assert self.host.processes(name) == []
        unknown = "brokersite-test-nobody"
        assert self.host.details(unknown) is None
        assert self.host.log_lines(unknown, lines=5) == []

    def test_details_say_how_it_was_made(self):
        spec = self.created(memory_mb=300, cpus=0.5, pids=77)
        found = self.host.details(spec.name)
        assert (found.image, found.memory_mb) == (spec.image, 300)
        assert (found.cpus, found.pids, found.restarts) == (0.5, 77, True)
        assert found.ports == ((spec.publish_address, spec.publish_port, spec.port),)
        assert found.networks == ("brokersite",)

    def test_details_tell_no_value_that_the_image_does_not_have_too(self):
        """S18, S20: a template may have put a secret there."""
        spec = self.created()
        environment = self.host.details(spec.name).environment
        assert set(spec.environment) <= set(environment)
        assert all(environment[name] is None for name in spec.environment)
        assert "/bin" in environment["PATH"]

    def test_neighbours_are_ours_and_strangers(self):
        """S8."""
        ours = self.started()
        labels = {**ours.labels, BROKER_LABEL: f"{self.broker_id}-other"}
        theirs = self.created(labels=labels)
        rows = self.host.neighbours(broker_id=self.broker_id)
        found = {row.name: row for row in rows}
        assert found[ours.name].is_ours and not found[theirs.name].is_ours
        assert found[ours.name].ports == (ours.publish_port,)
        assert found[theirs.name].state == "created"
        assert [row.name for row in rows] == sorted(found)

    def test_looking_at_a_dead_host_says_that_it_is_unreachable(self):
        """F32."""
        host, name = self.unreachable_host(), "brokersite-test-nobody"
        for look in (
            lambda: host.usage([name], limit_s=5),
            lambda: host.log_lines(name, lines=1),
            lambda: host.processes(name),
            lambda: host.details(name),
            lambda: host.neighbours(broker_id=self.broker_id),
        ):
            with pytest.raises(errors.HostUnreachable):
                look()
