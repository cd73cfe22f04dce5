"""Service instances in a real Docker, worked on by the test's own process."""

from typing import Any

from django.test import TestCase

from instances.engines import Endpoint
from instances.models import (
    Actor,
    Backup,
    Broker,
    Container,
    DockerHost,
    ServiceBinding,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import back_up, bind, provision, restore, unbind
from instances.operations.execution import run
from instances.operations.proof import prove_next
from tests.docker import engine_under_test as real
from tests.docker.mariadb_session import MariaDBSession
from tests.docker.postgres_session import PostgresSession
from tests.docker.redis_session import RedisSession
from tests.fakes import drain

ACTOR = Actor(kind="platform", name="tester")
OWNER = "worker-test-0"
IDS = {"offering_id": "o", "plan_id": "p"}


class RealInstances(TestCase):
    """A host with one port, and a plan for each of the engines."""

    method = "paused"
    """How backups are taken."""

    def setUp(self) -> None:
        super().setUp()
        self.docker = real.client()
        broker_id = str(Broker.this().broker_id)
        self.addCleanup(real.remove_backups, broker_id)
        self.addCleanup(real.remove_all, broker_id)
        port = real.next_port()
        DockerHost.objects.create(
            name="real",
            url=real.url(),
            database_host=real.ADDRESS,
            publish_address=real.ADDRESS,
            port_min=port,
            port_max=port,
            memory_mb=4096,
        )

    def provisioned(self, engine: str, *, image: str = "") -> ServiceInstance:
        offering = ServiceOffering.objects.create(
            id="o", name="o", description="An offering", engine=engine
        )
        ServicePlan.objects.create(
            id="p",
            name="p",
            description="A plan",
            offering=offering,
            image=image or real.IMAGES[engine],
            memory_mb=256,
        )
        wish = {"organization_guid": "", "space_guid": "", "parameters": {}}
        provision.accept(guid="i-1", context={}, actor=ACTOR, **IDS, **wish)
        drain()
        instance = ServiceInstance.objects.get_live("i-1")
        assert instance.state == "ready", instance.operations.first().detail
        return instance

    def bound(self, guid: str) -> ServiceBinding:
        binding, operation = bind.accept(
            instance_guid="i-1",
            guid=guid,
            parameters={},
            bind_resource={},
            app_guid="",
            actor=ACTOR,
            owner=OWNER,
            **IDS,
        )
        run(operation)
        binding.refresh_from_db()
        assert binding.state == "ready"
        return binding

    def unbound(self, guid: str) -> None:
        names = {"instance_guid": "i-1", "guid": guid}
        run(unbind.accept(**names, **IDS, actor=ACTOR, owner=OWNER))

    def backed_up(self, instance: ServiceInstance) -> Backup:
        backup = back_up.accept(
            instance, trigger="operator", actor=ACTOR, method=self.method
        )
        drain()
        backup.refresh_from_db()
        return backup

    def proved(self, backup: Backup) -> Backup:
        while prove_next():
            pass
        backup.refresh_from_db()
        return backup

    def verified(self, instance: ServiceInstance) -> Backup:
        backup = self.proved(self.backed_up(instance))
        assert backup.state == "verified", backup.problem
        return backup

    def restored(self, backup: Backup, *, is_safe: bool) -> None:
        operation = restore.accept(backup, actor=ACTOR, is_safe=is_safe)
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail

    def container(self) -> Container:
        return Container.objects.get(instance__guid="i-1")

    def session(self, binding: ServiceBinding) -> "Ledger":
        ledger = LEDGERS[self.container().engine](binding.credentials)
        self.addCleanup(ledger.close)
        return ledger


class Ledger:
    """An app that writes numbers down. Raise Refused if it may not log in."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        self.database = credentials["name"]
        endpoint = Endpoint(credentials["host"], credentials["port"], "")
        login = credentials["username"], credentials["password"]
        self.session = self.log_in(endpoint, *login)

    def log_in(self, endpoint: Endpoint, username: str, password: str) -> Any:
        return PostgresSession(endpoint, username, password, self.database)

    def open(self) -> None:
        self.session.run("CREATE TABLE IF NOT EXISTS ledger (n INT)")

    def add(self, number: int) -> None:
        """Return once the server has acknowledged it."""
        self.session.run(f"INSERT INTO ledger VALUES ({number})")

    def numbers(self) -> set[int]:
        return {number for (number,) in self.session.run("SELECT n FROM ledger")}

    def close(self) -> None:
        self.session.close()


class MariaDBLedger(Ledger):
    def log_in(self, endpoint: Endpoint, username: str, password: str) -> Any:
        session = MariaDBSession(endpoint, username, password)
        session.run(f"USE {self.database}")
        return session


class RedisLedger(Ledger):
    def log_in(self, endpoint: Endpoint, username: str, password: str) -> Any:
        return RedisSession(endpoint, username, password)

    def open(self) -> None:
        """A key comes with its first value."""

    def add(self, number: int) -> None:
        # Each in a key of its own, so that the proof counts them.
        self.session.run("SET", f"ledger:{number}", "")

    def numbers(self) -> set[int]:
        keys = self.session.run("KEYS", "ledger:*")
        return {int(key.partition(":")[2]) for key in keys}


LEDGERS = {"mariadb": MariaDBLedger, "postgres": Ledger, "redis": RedisLedger}
