"""Rows for the console's tests, and a Docker host that answers from memory."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TestCase
from django.utils import timezone

from instances import errors
from instances.containers import (
    ContainerDetails,
    ContainerStatus,
    ContainerUsage,
    ImageStatus,
    LogLine,
    Neighbour,
)
from instances.logins import sessions
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    Broker,
    BrokerCredential,
    BulkRun,
    Container,
    DockerHost,
    Kind,
    LoginAttempt,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
    Worker,
)

ADMIN_SECRET = "canary-admin-secret"
PASSWORD = "canary-binding-password"
CREDENTIALS = {"uri": "mysql://canary-credentials@db/d"}
HASH = "canary-password-hash"
CANARIES = ("canary-", "mysql://")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PLATFORM = Actor(kind="platform", name="cloudfoundry someone", request_id="r-1")


class ConsoleTestCase(TestCase):
    """A superuser is logged in; Docker is FakeDocker."""

    def setUp(self):
        Broker.this()  # as bootstrap has made it
        self.docker = FakeDocker()
        patcher = patch("instances.operations.hosts.connect", self.docker.connect)
        patcher.start()
        self.addCleanup(patcher.stop)
        counting = patch(
            "instances.engines.mariadb.MariaDB.inventory",
            return_value={"tables": 4, "witness": 0},
        )
        counting.start()
        self.addCleanup(counting.stop)
        self.connected = {}
        watching = patch(
            "instances.engines.mariadb.MariaDB.sessions",
            side_effect=lambda endpoint: self.connected,
        )
        watching.start()
        self.addCleanup(watching.stop)
        self.user = get_user_model().objects.create_superuser("olga", password="x")
        self.client.force_login(self.user)
        session = self.client.session
        sessions.mark(session)  # as a login does, so that no page writes it
        session.save()

    def text_of(self, url, **query):
        response = self.client.get(url, query)
        assert response.status_code == 200, (url, response.status_code)
        return response.content.decode()


class FakeDocker:
    """One container host for every URL: it knows every name, or is down."""

    def __init__(self):
        self.log = "ready for connections\n"
        self.is_down = False
        self.calls = []
        self.images = FakeImages(self)

    def connect(self, host, *, timeout_s=30):
        self.calls.append((host.name, timeout_s))
        return self

    def find(self, name):
        if self.is_down:
            raise errors.HostUnreachable(detail="Docker at tcp://h does not answer")
        return ContainerStatus(
            name=name,
            state="running",
            image="brokersite/mariadb:10.11.2",
            labels={},
            exit_code=0,
            started_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        )

    def log_lines(self, name, *, lines, since=None):
        self.find(name)
        at = datetime(2026, 11, 22, 8, 31, tzinfo=UTC)
        texts = CONTROL.sub("", self.log).splitlines()[-lines:]
        return [LogLine(at, "stdout", text) for text in texts]

    def usage(self, names, *, limit_s):
        self.find(names[0])
        counters = dict.fromkeys(
            ("received_bytes", "sent_bytes", "read_bytes", "written_bytes"), 4096
        )
        usage = ContainerUsage(
            at=timezone.now(),
            cpu_ms=1500,
            memory_bytes=90 * 2**20,
            processes=12,
            **counters,
        )
        return dict.fromkeys(names, usage)

    def processes(self, name):
        self.find(name)
        return [{"PID": "1", "CMD": self.log.strip()}]

    def details(self, name):
        made = Container.objects.get(pk=name.removeprefix("brokersite-"))
        return ContainerDetails(
            image=self.find(name).image,
            image_id="sha256:0123",
            memory_mb=256,
            cpus=1.0,
            pids=200,
            ports=(("10.0.0.5", made.port, 3306),),
            restarts=True,
            mounts=(),
            environment={"PATH": "/usr/bin", "VERIFIER": None, "SAID": self.log},
            networks=("brokersite",),
        )

    def neighbours(self, *, broker_id):
        self.find("")
        ours = [row.name for row in Container.objects.defer("admin_secret")]
        found = [Neighbour(name, "m:10", "running", "Up", True) for name in ours]
        return [*found, Neighbour("stranger", self.log, "exited", "Exited", False)]

    def list(self, *, broker_id):
        """Each of our containers, made of an image called sha256:old."""
        names = [row.name for row in Container.objects.defer("admin_secret")]
        return [replace(self.find(name), image_id="sha256:old") for name in names]


class FakeImages:
    """Knows each image but those in `missing`; all are of one id."""

    def __init__(self, docker):
        self.docker = docker
        self.missing = set()
        self.layers = 5

    def find(self, reference):
        if self.docker.is_down:
            raise errors.HostUnreachable(detail="Docker at tcp://h does not answer")
        if reference in self.missing:
            return None
        return ImageStatus(
            reference=reference,
            id="sha256:0123456789abcdef",
            size_bytes=217_000_000,
            layers=self.layers,
            created_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
            labels={"org.opencontainers.image.version": "10.11"},
        )


def make_host(name="alpha", **fields):
    return DockerHost.objects.create(
        **{
            "name": name,
            "url": f"unix:///var/run/{name}.sock",
            "database_host": "10.0.0.5",
            "publish_address": "10.0.0.5",
            "memory_mb": 100_000,
            **fields,
        }
    )


def make_plan():
    offering, _ = ServiceOffering.objects.get_or_create(
        id="offering/1", defaults={"name": "mysql-docker", "engine": "mariadb"}
    )
    plan, _ = ServicePlan.objects.get_or_create(
        id="plan/1", defaults={"offering": offering, "name": "free", "image": "m:10"}
    )
    return plan


def make_instance(guid="instance-000001", *, host=None, bindings=1, **fields):
    """A ready instance with its container, port, bindings, operation and audit."""
    host = host or DockerHost.objects.first() or make_host()
    plan = make_plan()
    container = Container.objects.create(
        host=host,
        engine="mariadb",
        image="brokersite/mariadb:10.11.2",
        memory_mb=256,
        cpus=1,
        pids=200,
        admin_secret=ADMIN_SECRET,
        state=Container.State.IN_USE,
    )
    PortLease.objects.reserve(container, host)
    instance = ServiceInstance.new(
        guid=guid,
        context={"instance_name": fields.pop("instance_name", f"name of {guid}")},
        plan=plan,
        container=container,
        state=ServiceInstance.State.READY,
        **fields,
    )
    instance.save()
    for number in range(bindings):
        make_binding(instance, f"binding-{number}")
    make_operation(instance, Kind.PROVISION)
    AuditEvent.record(PLATFORM, "provision", instance)
    return instance


def make_binding(instance, guid, **fields):
    return ServiceBinding.objects.create(
        instance=instance,
        guid=guid,
        app_guid=f"app-of-{guid}",
        password=PASSWORD,
        credentials=CREDENTIALS,
        state=ServiceBinding.State.READY,
        **fields,
    )


def make_operation(instance, kind, **fields):
    now = timezone.now()
    return Operation.objects.create(
        **{
            "kind": kind,
            "instance": instance,
            "binding": instance.bindings.first(),
            "state": Operation.State.SUCCEEDED,
            "steps": [{"at": now.isoformat(), "text": "starting the container"}],
            "requested_by": "platform someone",
            "deadline_at": now + timedelta(minutes=15),
            "started_at": now,
            "finished_at": now + timedelta(seconds=2.5),
            **fields,
        }
    )


def make_backup(instance, **fields):
    """A verified one, taken by an operation of its own an hour ago."""
    at = timezone.now() - timedelta(hours=1)
    counts = {"tables": 1, "rows": 12, "witness": 1}
    backup = Backup.objects.create(
        **{
            "instance": instance,
            "operation": make_operation(instance, Kind.BACK_UP, binding=None),
            "host": instance.container.host,
            "plan": instance.plan,
            "engine": "mariadb",
            "database": instance.database,
            "made_from": "brokersite/mariadb:10.11.2",
            "memory_mb": 256,
            "state": Backup.State.VERIFIED,
            "trigger": "operator",
            "requested_by": "operator olga",
            "image_id": "sha256:0123",
            "size_bytes": 217 * 2**20,
            "delta_bytes": 3 * 2**20,
            "layers": 7,
            "held_ms": 432,
            "inventory": {"before": counts, "after": counts, "found": counts},
            "taken_at": at,
            "verified_at": at,
            **fields,
        }
    )
    Backup.objects.filter(pk=backup.pk).update(created_at=fields.get("created_at", at))
    return backup


def make_bulk_run(*instances, action="back_up", **fields):
    run = BulkRun.objects.create(action=action, requested_by="olga", **fields)
    for number, instance in enumerate(instances):
        run.items.create(instance=instance, position=number)
    return run


def make_everything():
    """At least one row of every model, as {model: row}."""
    instance = make_instance()
    Worker.objects.beat("worker-1")
    backup = make_backup(instance)
    login = BrokerCredential.objects.create(username="cf", password_hash=HASH)
    return {
        ServiceInstance: instance,
        ServiceBinding: instance.bindings.get(),
        Operation: backup.operation,
        Backup: backup,
        AuditEvent: instance.audit.get(),
        DockerHost: instance.container.host,
        PortLease: instance.container.lease,
        Container: instance.container,
        BulkRun: make_bulk_run(instance),
        ServiceOffering: instance.plan.offering,
        ServicePlan: instance.plan,
        Broker: Broker.this(),
        BrokerCredential: login,
        LoginAttempt: failed_login(),
        Worker: Worker.objects.get(),
    }


def failed_login():
    """Somebody has tried one wrong password."""
    assert LoginAttempt.objects.begin("otto", "10.0.0.9") is None
    return LoginAttempt.objects.get(username="otto")


@contextmanager
def unreadable_secrets():
    """Every encrypted column holds what no key opens."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE instances_container SET admin_secret = 'damaged'")
        cursor.execute("UPDATE instances_broker SET key_check = 'damaged'")
        cursor.execute(
            "UPDATE instances_servicebinding"
            " SET password = 'damaged', credentials = 'damaged'"
        )
    yield
