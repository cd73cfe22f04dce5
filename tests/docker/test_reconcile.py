"""Reconciliation against a real Docker: what was done by hand, and its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import docker
import pytest

from instances.engines import get_engine
from instances.models import (
    AuditEvent,
    Broker,
    Container,
    DockerHost,
    Finding,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import adopt, hosts, provision
from instances.operations.reconcile import look, reconcile
from tests.docker import engine_under_test as real
from tests.docker.real_instances import ACTOR, IDS, RealInstances
from tests.fakes import Refused, drain

CHANGING = {"POST", "PUT", "DELETE", "PATCH"}


@contextmanager
def requests_to_docker() -> Iterator[list[str]]:
    """The methods of what docker-py sends, whoever asks for it."""
    sent: list[str] = []
    send = docker.APIClient.request

    def request(self: Any, method: str, url: str, **options: Any) -> Any:
        sent.append(method.upper())
        return send(self, method, url, **options)

    with mock.patch.object(docker.APIClient, "request", request):
        yield sent


class RealReconcile(RealInstances):
    def reconcile(self) -> list[str]:
        host = DockerHost.objects.get()
        return [found.kind for found in reconcile(host, is_full=True)]

    def assert_quiet(self) -> None:
        """I15."""
        with requests_to_docker() as sent:
            assert self.reconcile() == []
            assert look(DockerHost.objects.get()) == []
        assert sent and not CHANGING & set(sent), sent

    def by_hand(self) -> Any:
        """The instance's container, as docker's own client has it."""
        return self.docker.containers.get(self.container().name)

    def forget(self) -> str:
        """Lose all rows, as after a restore of an older database (F120)."""
        name = self.container().name
        for model in (Operation, AuditEvent, ServiceBinding, ServiceInstance):
            model.objects.all().delete()
        PortLease.objects.all().delete()
        Container.objects.all().delete()
        return name


class InStepTest(RealReconcile):
    def test_limits_and_policy_changed_by_hand_are_set_back(self):
        """F81, I15."""
        self.provisioned("redis")
        self.assert_quiet()
        found = self.by_hand()
        found.update(
            mem_limit="64m", memswap_limit="64m", restart_policy={"Name": "no"}
        )
        found.reload()
        with requests_to_docker() as sent:
            kinds = [one.kind for one in look(DockerHost.objects.get())]
        assert kinds == ["limits"] and not CHANGING & set(sent)
        assert self.reconcile() == ["limits"]
        found.reload()
        config = found.attrs["HostConfig"]
        assert config["Memory"] == 256 * 2**20
        assert config["RestartPolicy"]["Name"] == "always"
        self.assert_quiet()

    def test_one_stopped_or_paused_by_hand_runs_again(self):
        """F50."""
        self.provisioned("redis")
        self.by_hand().pause()
        assert self.reconcile() == ["paused"]
        self.by_hand().stop(timeout=5)
        assert "down" in self.reconcile()
        assert self.by_hand().status == "running"

    def test_one_that_is_only_renamed_is_not_lost(self):
        """F51."""
        self.provisioned("redis")
        name = self.container().name
        self.by_hand().rename(f"{name}-by-hand")
        assert self.reconcile() == ["renamed"]
        self.docker.containers.get(f"{name}-by-hand").rename(name)
        self.assert_quiet()

    def test_a_volume_with_the_brokers_label_is_told(self):
        """I1."""
        self.provisioned("redis")
        broker_id = str(Broker.this().broker_id)
        labels = {"brokersite.broker": broker_id}
        volume = self.docker.volumes.create(name=f"left-{broker_id}", labels=labels)
        self.addCleanup(volume.remove)
        assert self.reconcile() == ["leftover"]
        assert Finding.objects.get().name == f"volume left-{broker_id}"


class Users:
    engine: str

    def test_one_dropped_by_hand_is_made_again_and_a_ghost_goes(self):
        """I4, I6, for what the image's own server says."""
        instance = self.provisioned(self.engine)
        kept, gone = self.bound("kept"), self.bound("gone")
        engine, endpoint = get_engine(self.engine), hosts.endpoint(self.container())
        self.assert_quiet()
        engine.drop_user(endpoint, kept.username)
        ServiceBinding.objects.filter(pk=gone.pk).update(state="gone", live_key=None)
        assert set(self.reconcile()) == {"missing_user", "ghost"}
        drain()
        assert engine.users(endpoint) == {kept.username}
        self.session(kept)
        with pytest.raises(Refused):
            self.session(gone)
        assert instance.operations.filter(kind="recreate_user").count() == 1
        self.assert_quiet()


class MariaDBUsersTest(Users, RealReconcile):
    engine = "mariadb"


class PostgresUsersTest(Users, RealReconcile):
    engine = "postgres"


class RedisUsersTest(Users, RealReconcile):
    engine = "redis"


class LostTest(RealReconcile):
    def test_one_removed_by_hand_is_lost_until_it_is_restored(self):
        """F49, I11, I3."""
        instance = self.provisioned("mariadb")
        binding = self.bound("b")
        ledger = self.session(binding)
        ledger.open()
        ledger.add(1)
        backup = self.verified(instance)
        self.by_hand().remove(force=True, v=True)
        assert self.reconcile() == ["lost"]
        assert self.container().lost_at
        assert real.client().containers.list(all=True, filters=self.ours()) == []
        self.restored(backup, is_safe=True)
        assert self.container().lost_at is None
        assert self.session(binding).numbers() == {1}
        self.reconcile()
        self.assert_quiet()

    def ours(self) -> dict[str, str]:
        return {"label": f"brokersite.broker={Broker.this().broker_id}"}


class Adoption:
    engine: str

    def test_one_without_a_row_is_adopted_with_its_data(self):
        """F120, I5: whoever was bound before is shut out."""
        instance = self.provisioned(self.engine)
        former, port = self.bound("former"), self.container().port
        ledger = self.session(former)
        ledger.open()
        ledger.add(7)
        database = instance.database
        name = self.forget()
        assert self.reconcile() == ["unknown"]
        assert self.docker.containers.get(name).status == "running"
        host, plan = DockerHost.objects.get(), instance.plan
        wish = adopt.Wish(guid="i-1", plan=plan)
        operation = adopt.accept(host, name, wish, actor=ACTOR)
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        assert self.container().port == port
        if self.engine != "redis":
            assert operation.instance.database == database
        with pytest.raises(Refused):
            self.session(former)
        assert self.session(self.bound("new")).numbers() == {7}
        self.reconcile()
        self.assert_quiet()


class MariaDBAdoptionTest(Adoption, RealReconcile):
    engine = "mariadb"


class PostgresAdoptionTest(Adoption, RealReconcile):
    engine = "postgres"


class RedisAdoptionTest(Adoption, RealReconcile):
    engine = "redis"


class BrakeTest(RealReconcile):
    def test_six_that_are_gone_at_once_are_not_lost_before_a_person_says_so(self):
        """F31."""
        ports = [real.next_port() for _ in range(7)]
        DockerHost.objects.update(port_min=min(ports), port_max=max(ports))
        self.provisioned("redis")
        for number in range(2, 8):
            wish = {"organization_guid": "", "space_guid": "", "parameters": {}}
            guid = f"i-{number}"
            provision.accept(guid=guid, context={}, actor=ACTOR, **IDS, **wish)
        drain()
        rows = list(Container.objects.filter(state="in_use"))
        assert len(rows) == 7
        for row in rows[:6]:
            self.docker.containers.get(row.name).remove(force=True, v=True)
        with requests_to_docker() as sent:
            assert self.reconcile() == ["brake"]
        assert not CHANGING & set(sent)
        assert not Container.objects.exclude(lost_at=None).exists()
        host = DockerHost.objects.get()
        assert host.missing == 6 and host.concede(6)
        assert self.reconcile() == ["lost"] * 6
        assert Finding.objects.filter(kind="lost").count() == 6
        assert not DockerHost.objects.get().is_braked
