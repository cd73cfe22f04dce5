import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone

from instances import errors, placement
from instances.models import (
    AuditEvent,
    Broker,
    BrokerCredential,
    Container,
    DockerHost,
    PortLease,
    ServiceBinding,
    ServiceInstance,
    Worker,
)
from tests.fakes import make_host
from tests.instances.base import ACTOR, DomainTestCase


class RowTestCase(DomainTestCase):
    def refused(self, row: models.Model) -> None:
        """The database itself does not take the row."""
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save(force_insert=True)

    def placed(self) -> Container:
        return placement.place(self.plan)


class PortLeaseTest(RowTestCase):
    """I2: each (host, port) is leased at most once."""

    def test_a_port_is_leased_once(self):
        lease = self.placed().lease
        other = self.placed()
        other.lease.delete()
        self.refused(PortLease(host=self.host, number=lease.number, container=other))

    def test_a_container_has_one_lease(self):
        container = self.placed()
        self.refused(PortLease(host=self.host, number=20050, container=container))

    def test_the_same_number_on_another_host_is_another_port(self):
        number = self.placed().port
        resting = {"resting_until": timezone.now()}
        PortLease.objects.create(host=make_host("two"), number=number, **resting)

    def test_a_lease_belongs_to_a_container_or_rests(self):
        self.refused(PortLease(host=self.host, number=20050))

    def test_a_lease_does_not_do_both(self):
        container = self.placed()
        container.lease.delete()
        lease = PortLease(host=self.host, number=20050, container=container)
        lease.resting_until = timezone.now()
        self.refused(lease)

    def test_a_released_port_rests(self):
        """F112."""
        container = self.placed()
        container.lease.release()
        lease = PortLease.objects.get()
        assert lease.container is None
        assert lease.resting_until > timezone.now() + timedelta(seconds=30)

    def test_releasing_again_gives_nobody_elses_port_back(self):
        first = self.placed()
        stale = PortLease.objects.get(container=first)
        stale.release(rest=timedelta(0))
        second = self.placed()
        assert second.port == stale.number
        stale.release()
        assert Container.objects.get(pk=second.pk).port == stale.number


class DockerHostTest(RowTestCase):
    def test_the_port_range_is_in_order(self):
        host = DockerHost(name="x", url="memory://x", publish_address="127.0.0.1")
        host.port_min, host.port_max, host.memory_mb = 20001, 20000, 1
        self.refused(host)

    def test_the_form_names_the_field(self):
        host = DockerHost(port_min=20001, port_max=20000)
        with pytest.raises(ValidationError) as caught:
            host.clean()
        assert "port_max" in caught.value.message_dict

    def test_name_and_url_are_unique(self):
        fields = {"publish_address": "127.0.0.1", "memory_mb": 1}
        self.refused(DockerHost(name=self.host.name, url="memory://x", **fields))
        self.refused(DockerHost(name="x", url=self.host.url, **fields))

    def test_tcp_without_tls_is_refused(self):
        """S1: root on that host for whoever reaches it."""
        host = DockerHost(name="x", url="tcp://192.0.2.1:2375", memory_mb=1024)
        host.database_host = host.publish_address = "192.0.2.1"
        with pytest.raises(ValidationError) as caught:
            host.full_clean()
        assert "url" in caught.value.message_dict

    def test_free_memory_is_the_budget_less_what_is_not_gone(self):
        before = self.host.free_memory_mb()
        container = self.placed()
        assert self.host.free_memory_mb() == before - self.plan.memory_mb
        Container.objects.mark_gone(container)
        assert self.host.free_memory_mb() == before

    def test_contact_is_noted_and_a_problem_keeps_the_last_good_one(self):
        self.host.note_contact()
        self.host.note_contact("refused")
        host = DockerHost.objects.get()
        assert host.problem == "refused" and host.reached_at is not None
        host.note_contact()
        assert DockerHost.objects.get().problem == ""


class ContainerTest(RowTestCase):
    def test_gone_is_final_and_forgets_the_secret(self):
        container = self.placed()
        Container.objects.mark_gone(container)
        container.retire()
        row = Container.objects.get()
        assert (row.state, row.admin_secret) == ("gone", "")

    def test_its_name_is_fit_for_docker(self):
        """S32."""
        assert self.placed().name.removeprefix("brokersite-").isalnum()


class ServiceInstanceTest(RowTestCase):
    def test_one_live_instance_per_guid(self):
        """F8, I7."""
        instance = self.accept_provision()
        self.refused(
            ServiceInstance.new(guid=instance.guid, context={}, plan=self.plan)
        )

    def test_a_gone_one_frees_its_guid(self):
        instance = self.accept_provision()
        instance.move("gone", only_from=("provisioning",), live_key=None)
        ServiceInstance.new(guid=instance.guid, context={}, plan=self.plan).save()

    def test_guids_are_compared_exactly(self):
        for guid in ("i", "I", "i ", "í"):
            self.accept_provision(guid)
        assert ServiceInstance.objects.count() == 4

    def test_one_instance_per_container(self):
        container = self.placed()
        for guid, is_first in (("a", True), ("b", False)):
            row = ServiceInstance.new(guid=guid, context={}, plan=self.plan)
            row.container = container
            row.save() if is_first else self.refused(row)

    def test_move_is_compare_and_set(self):
        instance = self.accept_provision()
        stale = ServiceInstance.objects.get(pk=instance.pk)
        instance.move("ready", only_from=("provisioning",))
        with pytest.raises(errors.ConcurrencyError):
            stale.move("failed", only_from=("provisioning",))
        assert ServiceInstance.objects.get().state == "ready"

    def test_find_last_prefers_the_live_one(self):
        old = self.accept_provision()
        old.move("gone", only_from=("provisioning",), live_key=None)
        assert ServiceInstance.objects.find_last(old.guid) == old
        new = self.accept_provision()
        assert ServiceInstance.objects.find_last(old.guid) == new

    def test_a_name_that_is_no_text_is_left_out(self):
        context = {"instance_name": ["not", "text"]}
        assert self.accept_provision("i-9", context=context).instance_name == ""


class ServiceBindingTest(RowTestCase):
    def test_one_live_binding_per_guid_and_instance(self):
        """F69."""
        instance = self.provisioned()
        binding = self.bound(instance)
        copy = ServiceBinding(guid="b-1", instance=instance, live_key=binding.live_key)
        self.refused(copy)

    def test_the_same_guid_in_another_instance_is_another_binding(self):
        first, second = self.provisioned("i-1"), self.provisioned("i-2")
        assert self.bound(first).pk != self.bound(second).pk

    def test_its_user_name_is_fit_for_mysql(self):
        """S33: at most 32 characters, derived, never the platform's text."""
        binding = ServiceBinding(guid="'; DROP USER")
        assert binding.username.isalnum() and len(binding.username) <= 32


class BrokerTest(RowTestCase):
    def test_there_is_one(self):
        assert Broker.this() == Broker.this()
        self.refused(Broker(id=2))

    def test_its_id_stays(self):
        """F121."""
        assert Broker.this().broker_id == Broker.this().broker_id


class LoginTest(RowTestCase):
    def test_the_password_is_only_there_as_a_slow_hash_and_under_a_key(self):
        credential = BrokerCredential(username="cf")
        credential.set_password("canary")
        assert credential.password_hash.startswith("scrypt$")
        assert "canary" not in credential.password_hash + credential.proof
        assert credential.knows("canary") and not credential.knows("canarx")
        with override_settings(SECRET_KEY="another" * 10):
            assert not credential.knows("canary")


class WorkerTest(RowTestCase):
    def test_a_beat_makes_it_alive(self):
        Worker.objects.beat("w")
        Worker.objects.beat("w")
        assert Worker.objects.alive().count() == 1

    def test_silence_makes_it_dead(self):
        Worker.objects.beat("w")
        Worker.objects.update(seen_at=Now() - timedelta(seconds=31))
        assert not Worker.objects.alive().exists()


class AuditEventTest(RowTestCase):
    def test_every_wish_is_noted_with_who_asked(self):
        """S49."""
        instance = self.provisioned()
        self.bound(instance)
        self.accept_unbind(instance)
        self.accept_deprovision(instance)
        noted = AuditEvent.objects.order_by("pk").values_list("action", "actor_name")
        actions = ["provision", "bind", "unbind", "deprovision"]
        assert list(noted) == [(action, ACTOR.name) for action in actions]

    def test_a_repeat_is_not_another_wish(self):
        instance = self.provisioned()
        self.accept_provision()
        self.bound(instance)
        self.bound(instance)
        assert AuditEvent.objects.count() == 2

    def test_no_secret_is_in_it(self):
        """S20."""
        binding = self.bound(self.provisioned())
        assert binding.password not in str(list(AuditEvent.objects.values()))


def test_ids_of_rows_are_random():
    """S22: nothing can be guessed from a neighbour."""
    assert Container().id != Container().id
    assert isinstance(ServiceBinding().id, uuid.UUID)
