"""What every container host tells of a container: what reconciliation compares."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from instances.containers import (
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerHost,
    ContainerSpec,
    ContainerStatus,
    Limits,
)


class LookingContract:
    """A part of ContainerHostContract."""

    host: ContainerHost
    broker_id: str
    created: Any
    started: Any
    names: Any

    def listed(self, spec: ContainerSpec) -> ContainerStatus:
        rows = self.host.list(broker_id=self.broker_id)
        return next(row for row in rows if row.name == spec.name)

    def limits(self, spec: ContainerSpec) -> Limits | None:
        found = self.host.find(spec.name)
        assert found is not None
        return found.limits

    def test_find_tells_the_limits_that_hold(self):
        spec = self.created(memory_mb=64, cpus=0.5, pids=77)
        assert self.limits(spec) == Limits(64, 0.5, 77, restarts=True)
        assert self.listed(spec).limits is None

    def test_find_tells_whether_docker_starts_it_again(self):
        spec = self.started(restarts=False)
        assert self.limits(spec).restarts is False
        self.host.limit(spec)
        assert self.limits(spec).restarts is True
        self.host.stop(spec.name, limit_s=5)
        assert self.limits(spec).restarts is False

    def test_the_port_of_a_running_one_is_in_the_list(self):
        spec = self.created()
        assert self.listed(spec).ports == ()
        self.host.start(spec.name)
        assert self.listed(spec).ports == (spec.publish_port,)

    def test_find_tells_the_port_of_a_stopped_one_too(self):
        spec = self.created()
        found = self.host.find(spec.name)
        assert found is not None and found.ports == (spec.publish_port,)

    def test_when_it_was_made_is_told(self):
        spec = self.created()
        for status in (self.listed(spec), self.host.find(spec.name)):
            assert abs(timezone.now() - status.created_at) < timedelta(minutes=5)

    def test_find_of_an_unknown_name_is_none(self):
        assert self.host.find("brokersite-test-nobody") is None

    def test_list_has_this_brokers_containers_running_or_not(self):
        """S8: another broker on the same host is never seen."""
        created, started = self.created(), self.started()
        labels = {CONTAINER_LABEL: "theirs", BROKER_LABEL: f"{self.broker_id}-other"}
        theirs = self.created(labels=labels)
        listed = self.names()
        assert {created.name, started.name} <= listed
        assert theirs.name not in listed
