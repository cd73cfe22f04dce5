"""What the domain's tests share: a plan, a host, and the wishes of a platform."""

from typing import Any

from django.test import TestCase

from instances.models import (
    Actor,
    Container,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import bind, deprovision, provision, unbind
from instances.operations.execution import run
from tests.fakes import (
    OFFERING_ID,
    PLAN_ID,
    WORKER,
    FakeWorld,
    claim,
    drain,
    make_host,
    make_plan,
)

ACTOR = Actor(kind="platform", name="tester")
IDS = {"offering_id": OFFERING_ID, "plan_id": PLAN_ID}


class Wishes(FakeWorld):
    """Accepts; nothing is performed unless a test says so."""

    def accept_provision(self, guid: str = "i-1", **changes: Any) -> ServiceInstance:
        fields = {
            "parameters": {},
            "context": {},
            "organization_guid": "o-1",
            "space_guid": "s-1",
            "actor": ACTOR,
        }
        provision.accept(guid=guid, **{**IDS, **fields, **changes})
        return ServiceInstance.objects.get_live(guid)

    def provisioned(self, guid: str = "i-1") -> ServiceInstance:
        instance = self.accept_provision(guid)
        drain()
        instance.refresh_from_db()
        assert instance.state == "ready", instance.operations.first().detail
        return instance

    def accept_bind(
        self, instance: ServiceInstance, guid: str = "b-1", **changes: Any
    ) -> tuple[ServiceBinding, Operation | None]:
        fields = {
            "parameters": {},
            "bind_resource": {},
            "app_guid": "",
            "actor": ACTOR,
            "owner": WORKER,
        }
        return bind.accept(
            instance_guid=instance.guid, guid=guid, **{**IDS, **fields, **changes}
        )

    def bound(self, instance: ServiceInstance, guid: str = "b-1") -> ServiceBinding:
        binding, operation = self.accept_bind(instance, guid)
        if operation is not None:
            run(operation)
        binding.refresh_from_db()
        assert binding.state == "ready"
        return binding

    def accept_unbind(
        self, instance: ServiceInstance, guid: str = "b-1", owner: str = WORKER
    ) -> Operation:
        return unbind.accept(
            instance_guid=instance.guid, guid=guid, **IDS, actor=ACTOR, owner=owner
        )

    def accept_deprovision(self, instance: ServiceInstance) -> Operation:
        operation, _ = deprovision.accept(instance, actor=ACTOR)
        return operation

    def log_in(self, binding: ServiceBinding) -> Any:
        credentials = binding.credentials
        return self.world.engine.log_in(
            credentials["host"],
            credentials["port"],
            username=credentials["username"],
            password=credentials["password"],
        )


class DomainTestCase(Wishes, TestCase):
    """A database, one plan, one host, and the world in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.plan = make_plan()
        self.host = make_host()

    def provision_operation(self, guid: str = "i-1") -> Operation:
        """A provision that has been accepted and claimed, and not begun."""
        instance = self.accept_provision(guid)
        return claim(instance.operations.get())

    def assert_nothing_is_left(self) -> None:
        assert self.world.containers() == []
        assert not Container.objects.exclude(state="gone").exists()
        assert not Operation.objects.unfinished().exists()
