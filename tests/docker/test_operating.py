"""What an operator does to a database, in a real Docker with the real engines."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from django.db.models.functions import Now

from instances import errors
from instances.engines import get_engine
from instances.models import Container, DockerHost, Kind, Operation, ServicePlan
from instances.operations import force, hosts, rotate_secret, run_state, update
from instances.operations.levels import Level
from instances.operations.reconcile import reconcile
from tests.docker.real_instances import ACTOR, LEDGERS, Ledger, RealInstances
from tests.fakes import Refused, drain


class Operating(RealInstances):
    __test__ = False
    engine: str

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned(self.engine)
        self.binding = self.bound("b-1")
        with closing(self.log_in()) as ledger:
            ledger.open()
            ledger.add(7)

    def log_in(self) -> Ledger:
        return LEDGERS[self.engine](self.binding.credentials)

    def assert_data_is_there(self) -> None:
        with closing(self.log_in()) as ledger:
            assert ledger.numbers() == {7}

    def row(self) -> Container:
        rows = Container.objects.select_related("host", "lease")
        return rows.get(instance=self.instance)

    def ended(self, operation: Operation) -> None:
        Operation.objects.filter(pk=operation.pk).update(not_before=Now())
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail

    def do(self, kind: Kind) -> None:
        self.ended(run_state.accept(self.instance, kind, actor=ACTOR))

    def status(self) -> Any:
        row = self.row()
        return hosts.connect(row.host).find(row.name)

    def started_at(self) -> str:
        """To the nanosecond: a restart may take less than the broker's second."""
        container = self.docker.containers.get(self.row().name)
        return str(container.attrs["State"]["StartedAt"])

    def test_restart_keeps_data_and_users(self) -> None:
        before = self.started_at()
        self.do(Kind.RESTART)
        assert self.started_at() != before
        self.assert_data_is_there()

    def test_a_stopped_one_stays_down_until_it_is_started(self) -> None:
        self.do(Kind.STOP)
        reconcile(DockerHost.objects.get())
        assert self.status().state == "exited"
        with pytest.raises((Refused, OSError)):
            self.log_in()
        self.do(Kind.START)
        self.assert_data_is_there()

    def test_a_rotated_secret_holds_through_restart_and_upgrade(self) -> None:
        """The image takes data under another verifier for a backup's."""
        former = self.row().admin_secret
        self.ended(rotate_secret.accept(self.instance, actor=ACTOR))
        engine = get_engine(self.engine)
        with pytest.raises(errors.EngineUnreachable):
            engine.check(replace(hosts.endpoint(self.row()), admin_secret=former))
        self.do(Kind.RESTART)
        engine.check(hosts.endpoint(self.row()))
        self.assert_data_is_there()
        secret = self.row().admin_secret
        self.upgraded()
        assert self.row().admin_secret == secret
        engine.check(hosts.endpoint(self.row()))
        self.assert_data_is_there()

    def upgraded(self) -> None:
        """Into another container: the image under another name is another one."""
        former = self.row()
        name = f"{former.image}-renamed"
        image = self.docker.images.get(former.image)
        image.tag(name)
        self.addCleanup(self.docker.images.remove, name)
        ServicePlan.objects.update(image=name)
        _, operation = update.accept(
            guid=self.instance.guid,
            offering_id="o",
            plan_id="",
            wanted={},
            context={},
            maintenance_version="",
            actor=ACTOR,
            as_planned=True,
        )
        assert operation is not None
        self.ended(operation)
        self.instance.refresh_from_db()
        assert self.row().pk != former.pk


class MariaDBOperating(Operating):
    __test__ = True
    engine = "mariadb"

    def test_force_with_the_host_down_is_paid_when_it_returns(self) -> None:
        """F43, F109: the container goes, and only then its port."""
        row, host = self.row(), DockerHost.objects.get()
        url = host.url
        DockerHost.objects.update(url="unix:///var/run/nobody-listens.sock")
        host.refresh_from_db()
        host.note_contact("nobody listens")
        operation, _ = force.accept(
            self.instance, Level.FORCE, actor=ACTOR, reason="a test"
        )
        self.ended(operation)
        self.instance.refresh_from_db()
        row.refresh_from_db()
        assert (self.instance.state, row.state) == ("gone", "retiring")
        self.assert_data_is_there()
        DockerHost.objects.update(url=url, problem="")
        for _ in range(2):
            reconcile(DockerHost.objects.get())
        row.refresh_from_db()
        assert (row.state, row.port) == ("gone", None)
        with pytest.raises((Refused, OSError)):
            self.log_in()


class PostgresOperating(Operating):
    __test__ = True
    engine = "postgres"


class RedisOperating(Operating):
    __test__ = True
    engine = "redis"
