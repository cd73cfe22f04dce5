"""Believable rows in a broker's database: to look at, and to measure the console."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from instances.models import (
    AuditEvent,
    Backup,
    Container,
    DockerHost,
    Kind,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
    ServicePlan,
)
from instances.models.service_binding import binding_key
from instances.models.service_instance import digest

HOSTS = 5
BINDINGS, OPERATIONS = 2, 5
BATCH = 500
FIRST_PORT = 2000
SPAN = timedelta(days=90)
TEAMS = ("payments", "search", "mobile", "billing", "fraud", "mail", "maps")
SPACES = ("dev", "test", "prod")
USES = ("orders", "sessions", "invoices", "cache", "accounts", "events", "carts")
STATES = (
    *((ServiceInstance.State.READY,) * 97),
    *(ServiceInstance.State.FAILED, ServiceInstance.State.PROVISIONING),
    ServiceInstance.State.DEPROVISIONING,
)
KINDS = (Kind.PROVISION, Kind.BIND, Kind.BIND, Kind.BACK_UP, Kind.UPDATE)
ENDS = (*((Operation.State.SUCCEEDED,) * 19), Operation.State.FAILED)
STEPS = ("choosing a host", "starting the container", "waiting for the first login")


@transaction.atomic
def seed(instances: int) -> None:
    """Add so many instances of the plans that there are, and what belongs to them.

    Two bindings and five operations each, a backup for each second one, on five
    hosts where nobody answers. Raise ValueError if there is no plan, or for a
    second time.
    """
    plans = list(ServicePlan.objects.select_related("offering"))
    if not plans:
        raise ValueError("There is no plan yet: run manage.py bootstrap first.")
    if DockerHost.objects.filter(name__startswith="seeded-").exists():
        raise ValueError("This database has been seeded before.")
    hosts = [_host(number) for number in range(HOSTS)]
    chance = random.Random(1)  # noqa: S311 the same rows each time, and no secrets
    for first in range(0, instances, BATCH):
        batch = Batch(plans, hosts, chance)
        for number in range(first, min(first + BATCH, instances)):
            batch.add(number)
        batch.save()


def _host(number: int) -> DockerHost:
    return DockerHost.objects.create(
        name=f"seeded-{number + 1}",
        url=f"unix:///var/run/nobody-{number + 1}.sock",
        database_host=f"10.0.0.{number + 1}",
        publish_address="127.0.0.1",
        port_min=FIRST_PORT,
        port_max=65535,
        memory_mb=4_000_000,
    )


@dataclass
class Batch:
    plans: Sequence[ServicePlan]
    hosts: Sequence[DockerHost]
    chance: random.Random
    rows: dict[type, list] = field(default_factory=dict)
    born: dict[type, list[datetime]] = field(default_factory=dict)

    def add(self, number: int) -> None:
        born = timezone.now() - SPAN * self.chance.random()
        plan = self.plans[number % len(self.plans)]
        container = self._container(number, plan, born)
        instance = self._instance(number, plan, container, born)
        bindings = [self._binding(instance, at, born) for at in range(BINDINGS)]
        for kind in KINDS:
            binding = bindings[0] if kind is Kind.BIND else None
            operation = self._operation(instance, kind, binding, born)
            if kind is Kind.BACK_UP and number % 2 == 0:
                self._backup(instance, operation, container)
        event = AuditEvent(
            actor_kind="platform",
            actor_name="cloudfoundry developer",
            action="provision",
            target=f"service instance {instance.guid}",
            instance=instance,
        )
        self._note(event, born)

    def save(self) -> None:
        """Parents first; then their dates, which a creation sets to now."""
        for model, rows in self.rows.items():
            model.objects.bulk_create(rows, batch_size=BATCH)
            if model is PortLease:
                continue
            name = "at" if model is AuditEvent else "created_at"
            for row, born in zip(rows, self.born[model], strict=True):
                setattr(row, name, born)
            model.objects.bulk_update(rows, [name], batch_size=BATCH)

    def _note(self, row: object, born: datetime) -> None:
        self.rows.setdefault(type(row), []).append(row)
        self.born.setdefault(type(row), []).append(born)

    def _container(self, number: int, plan: ServicePlan, born: datetime) -> Container:
        host = self.hosts[number % len(self.hosts)]
        limit = 2**20 * (plan.disk_mb or 1024)
        container = Container(
            host=host,
            plan=plan,
            engine=plan.offering.engine,
            image=plan.image,
            settings=plan.settings,
            memory_mb=plan.memory_mb,
            cpus=plan.cpus,
            pids=plan.pids,
            admin_secret="seeded",  # noqa: S106 of no database
            state=Container.State.IN_USE,
            disk_mb=plan.disk_mb,
            disk_bytes=int(limit * self.chance.random()),
            disk_measured_at=timezone.now(),
        )
        self._note(container, born)
        port = FIRST_PORT + number // len(self.hosts)
        self._note(PortLease(host=host, number=port, container=container), born)
        return container

    def _instance(
        self, number: int, plan: ServicePlan, container: Container, born: datetime
    ) -> ServiceInstance:
        team, space = self.chance.choice(TEAMS), self.chance.choice(SPACES)
        name = f"{team}-{self.chance.choice(USES)}-{number:05}"
        instance = ServiceInstance.new(
            guid=str(uuid.UUID(int=self.chance.getrandbits(128))),
            context={
                "platform": "cloudfoundry",
                "instance_name": name,
                "organization_name": team,
                "space_name": space,
            },
            plan=plan,
            organization_guid=str(uuid.uuid5(uuid.NAMESPACE_DNS, team)),
            space_guid=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{space}.{team}")),
            state=self.chance.choice(STATES),
            container=container,
        )
        self._note(instance, born)
        return instance

    def _binding(
        self, instance: ServiceInstance, at: int, born: datetime
    ) -> ServiceBinding:
        guid = str(uuid.UUID(int=self.chance.getrandbits(128)))
        app = digest(instance.instance_name, str(at))[:32]
        binding = ServiceBinding(
            guid=guid,
            live_key=binding_key(instance, guid),
            instance=instance,
            app_guid=str(uuid.UUID(app)),
            bind_resource={"app_guid": app},
            password="seeded",  # noqa: S106 of no database
            credentials={"name": instance.database},
            state=ServiceBinding.State.READY,
        )
        self._note(binding, born + timedelta(minutes=1 + at))
        return binding

    def _operation(
        self,
        instance: ServiceInstance,
        kind: Kind,
        binding: ServiceBinding | None,
        born: datetime,
    ) -> Operation:
        at = born + (timezone.now() - born) * self.chance.random()
        state = self.chance.choice(ENDS)
        is_failed = state == Operation.State.FAILED
        operation = Operation(
            kind=kind,
            instance=instance,
            binding=binding,
            state=state,
            steps=[{"at": at.isoformat(), "text": text} for text in STEPS],
            attempts=1,
            deadline_at=at + timedelta(minutes=5),
            error="The database did not start." if is_failed else "",
            detail="no login within 60 s" if is_failed else "",
            requested_by="platform cloudfoundry developer",
            started_at=at,
            finished_at=at + timedelta(seconds=self.chance.randint(1, 40)),
        )
        self._note(operation, at)
        return operation

    def _backup(
        self, instance: ServiceInstance, operation: Operation, container: Container
    ) -> None:
        at = operation.started_at
        backup = Backup(
            instance=instance,
            operation=operation,
            host=container.host,
            plan=instance.plan,
            engine=container.engine,
            database=instance.database,
            made_from=container.image,
            memory_mb=container.memory_mb,
            state=Backup.State.VERIFIED,
            trigger="schedule",
            requested_by="worker",
            image_id=f"sha256:{digest(str(instance.pk))}",
            size_bytes=400 * 2**20 + (container.disk_bytes or 0),
            delta_bytes=container.disk_bytes,
            layers=6,
            held_ms=self.chance.randint(20, 900),
            taken_at=at,
            verified_at=at,
        )
        self._note(backup, at)
