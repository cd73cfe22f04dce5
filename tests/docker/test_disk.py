"""A real database that fills its container, from the first warning to a larger plan."""

from typing import Any

import pytest
from django.test import TestCase

from instances.models import (
    Actor,
    Broker,
    Container,
    DockerHost,
    ServiceBinding,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import bind, deprovision, disk, provision, unbind, update
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.docker import engine_under_test as real
from tests.docker.mariadb_session import MariaDBSession
from tests.docker.postgres_session import PostgresSession
from tests.docker.redis_session import RedisSession
from tests.fakes import Refused, drain

ACTOR = Actor(kind="platform", name="tester")
OWNER = "worker-test-0"
PATTERN = "0123456789abcdef"
CHUNK = 2**18
"""Characters of one value."""


class FillingDisk:
    """A subclass gives engine, session_class and fill()."""

    engine: str
    memory_mb = 256

    def setUp(self) -> None:
        super().setUp()
        real.client()
        self.addCleanup(real.remove_all, str(Broker.this().broker_id))
        port = real.next_port()
        self.host = DockerHost.objects.create(
            name="real",
            url=real.url(),
            database_host=real.ADDRESS,
            publish_address=real.ADDRESS,
            port_min=port,
            port_max=port,
            memory_mb=4096,
        )
        offering = ServiceOffering.objects.create(
            id="o", name="o", description="An offering", engine=self.engine
        )
        for name, disk_mb in (("small", 1000), ("large", 2000)):
            ServicePlan.objects.create(
                id=name,
                name=name,
                description="A plan",
                offering=offering,
                image=real.IMAGES[self.engine],
                memory_mb=self.memory_mb,
                disk_mb=disk_mb,
            )
        self.instance = self.provisioned()
        self.binding = self.bound("b-1")

    def provisioned(self) -> ServiceInstance:
        provision.accept(
            guid="i-1",
            offering_id="o",
            plan_id="small",
            parameters={},
            context={},
            organization_guid="",
            space_guid="",
            actor=ACTOR,
        )
        drain()
        return ServiceInstance.objects.get_live("i-1")

    def bound(self, guid: str) -> ServiceBinding:
        binding, operation = bind.accept(
            instance_guid="i-1",
            guid=guid,
            offering_id="o",
            plan_id="small",
            parameters={},
            bind_resource={},
            app_guid="",
            actor=ACTOR,
            owner=OWNER,
        )
        run(operation)
        binding.refresh_from_db()
        assert binding.state == "ready"
        return binding

    def updated(self, plan_id: str) -> str:
        _, operation = update.accept(
            guid="i-1",
            offering_id="o",
            plan_id=plan_id,
            wanted={},
            context={},
            maintenance_version="",
            actor=ACTOR,
        )
        drain()
        operation.refresh_from_db()
        return operation.state

    def session(self, binding: ServiceBinding) -> Any:
        session = self.new_session(binding.credentials)
        self.addCleanup(session.close)
        return session

    def new_session(self, credentials: dict[str, Any]) -> Any:
        raise NotImplementedError

    def fill(self, session: Any) -> None:
        """Write a value of CHUNK characters more."""
        raise NotImplementedError

    def measured(self) -> Container:
        disk.measure(self.host)
        return Container.objects.get(instance=self.instance)

    def filled(self, when_full: str) -> Container:
        """Written to until its limit, a little above what it has, is reached."""
        row = self.measured()
        assert row.disk_state == "fine", row.disk_used_mb
        limits = {"disk_mb": row.disk_used_mb + 20, "when_disk_full": when_full}
        Container.objects.filter(pk=row.pk).update(**limits)
        session = self.session(self.binding)
        for _ in range(400):
            row = self.measured()
            if row.disk_state in ("read_only", "stopped"):
                return row
            for _ in range(8):
                self.fill(session)
        raise AssertionError(f"{row.disk_used_mb} of {row.disk_mb} MiB")

    def test_a_full_database_is_read_only_until_it_gets_a_larger_plan(self):
        row = self.filled("read_only")
        assert row.disk_state == "read_only"
        with pytest.raises(Refused):
            self.fill(self.session(self.binding))
        other = self.bound("b-2")
        with pytest.raises(Refused):
            self.fill(self.session(other))
        operation = unbind.accept(
            instance_guid="i-1",
            guid="b-2",
            offering_id="o",
            plan_id="small",
            actor=ACTOR,
            owner=OWNER,
        )
        run(operation)
        operation.refresh_from_db()
        assert operation.state == "succeeded"
        assert self.updated("large") == "succeeded"
        self.fill(self.session(self.binding))
        assert self.measured().disk_state == "fine"
        self.deprovision()

    def test_a_full_database_is_stopped_until_it_gets_a_larger_plan(self):
        row = self.filled("stop")
        assert row.disk_state == "stopped"
        reconcile(self.host)
        with pytest.raises(Refused):
            self.session(self.binding)
        assert self.updated("large") == "succeeded"
        self.fill(self.session(self.binding))
        assert self.measured().disk_state == "fine"
        self.deprovision()

    def deprovision(self) -> None:
        deprovision.accept(self.instance, actor=ACTOR)
        drain()
        assert Container.objects.get().state == "gone"


class FillingMariaDBTest(FillingDisk, TestCase):
    engine = "mariadb"

    def new_session(self, credentials: dict[str, Any]) -> MariaDBSession:
        endpoint = real.Endpoint(credentials["host"], credentials["port"], "")
        made = MariaDBSession(endpoint, credentials["user"], credentials["password"])
        made.run(f"USE {credentials['name']}")
        return made

    def fill(self, session: MariaDBSession) -> None:
        session.run("CREATE TABLE IF NOT EXISTS full (x LONGTEXT)")
        times = CHUNK // len(PATTERN)
        session.run(f"INSERT INTO full VALUES (REPEAT('{PATTERN}', {times}))")


class FillingPostgresTest(FillingDisk, TestCase):
    engine = "postgres"

    def new_session(self, credentials: dict[str, Any]) -> PostgresSession:
        endpoint = real.Endpoint(credentials["host"], credentials["port"], "")
        user, password = credentials["user"], credentials["password"]
        return PostgresSession(endpoint, user, password, credentials["name"])

    def fill(self, session: PostgresSession) -> None:
        session.run("CREATE TABLE IF NOT EXISTS filled (x text)")
        session.run("ALTER TABLE filled ALTER x SET STORAGE EXTERNAL")
        times = CHUNK // len(PATTERN)
        session.run(f"INSERT INTO filled SELECT repeat('{PATTERN}', {times})")


class FillingRedisTest(FillingDisk, TestCase):
    engine = "redis"

    def new_session(self, credentials: dict[str, Any]) -> RedisSession:
        endpoint = real.Endpoint(credentials["host"], credentials["port"], "")
        return RedisSession(endpoint, credentials["user"], credentials["password"])

    def fill(self, session: RedisSession) -> None:
        session.run("RPUSH", "full", PATTERN * (CHUNK // len(PATTERN)))
