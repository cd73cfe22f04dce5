"""What the tests of reconciliation share: one instance, looked at closely."""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from instances.models import Container, Finding
from instances.operations.reconcile import Found, look, reconcile
from tests.fakes import drain
from tests.fakes.machine import FakeContainer
from tests.instances.base import DomainTestCase

READING = {"list", "find", "describe", "logs", "ping", "users", "check", "leftovers"}
LABEL = "brokersite.container"


class ReconcileTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()
        self.container = self.world.container_of(self.instance)
        self.machine = self.world.machine
        self.faults.calls.clear()

    def reconcile(self) -> list[Found]:
        self.host.refresh_from_db()
        return reconcile(self.host, is_full=True)

    def kinds(self) -> list[str]:
        """What a look finds; it changes nothing."""
        self.host.refresh_from_db()
        before = len(self.faults.calls)
        found = [one.kind for one in look(self.host)]
        assert set(self.faults.calls[before:]) <= READING
        return found

    def assert_quiet(self) -> None:
        """I15: nothing is found, and no call changes anything."""
        self.faults.calls.clear()
        assert self.reconcile() == []
        assert set(self.faults.calls) <= READING
        assert not Finding.objects.exists()

    def standing(self) -> list[tuple[str, str]]:
        return [(row.kind, row.name) for row in Finding.objects.all()]

    def row(self) -> Container:
        return Container.objects.get(instance=self.instance)

    def remove_by_hand(self) -> FakeContainer:
        return self.machine.containers.pop(self.container.spec.name)

    def put(self, name: str, *, label: str = "0" * 32, **fields) -> FakeContainer:
        """A container with our labels, an hour old."""
        labels = {**self.container.spec.labels, LABEL: label}
        labels |= fields.pop("labels", {})
        spec = replace(self.container.spec, name=name, labels=labels, publish_port=None)
        made = FakeContainer(spec, **fields)
        made.created_at = timezone.now() - timedelta(hours=1)
        self.machine.containers[name] = made
        return made

    def deprovisioned(self) -> FakeContainer:
        self.accept_deprovision(self.instance)
        drain()
        return self.container
