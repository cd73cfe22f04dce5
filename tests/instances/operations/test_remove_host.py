"""Remove a Docker host: only an empty one, or one that is lost for good."""

import io

import pytest
from django.core.management import call_command

from instances import errors
from instances.models import (
    Backup,
    Container,
    DockerHost,
    Operation,
    PortLease,
)
from instances.operations import backup_copies, remove_host
from instances.operations.installation import ensure_host
from instances.rooms import survey
from tests.fakes import make_host
from tests.instances.base import ACTOR
from tests.instances.draining import Drains


class Removals(Drains):
    def refusal(self, **options: bool) -> str:
        with pytest.raises(errors.BrokerError) as caught:
            remove_host.accept(self.host, actor=ACTOR, **options)
        return str(caught.value)

    def removed(self, **options: bool) -> DockerHost:
        remove_host.accept(self.host, actor=ACTOR, **options)
        return DockerHost.with_removed.get(pk=self.host.pk)


class RemoveTest(Removals):
    def test_a_drained_one_goes_and_the_history_stays(self):
        instance = self.filled()
        former = instance.container
        self.start()
        self.rounds()
        row = self.removed()
        assert row.state == "removed" and (row.tls_key, row.url[:7]) == ("", "removed")
        assert not DockerHost.objects.filter(pk=self.host.pk).exists()
        assert Container.objects.get(pk=former.pk).host == row
        assert not PortLease.objects.filter(host=row).exists()
        assert [room.host for room in survey()] == [self.other]
        instance.refresh_from_db()
        assert self.rows(self.binding) == 1

    def test_a_dump_has_it_since_its_containers_name_it(self):
        self.start()
        self.removed()
        written = io.StringIO()
        call_command("dumpdata", "instances.dockerhost", stdout=written)
        assert '"state": "removed"' in written.getvalue()

    def test_its_name_and_address_are_free_again(self):
        self.start()
        self.removed()
        again = make_host("one")
        assert again.url == self.host.url and again.name == self.host.name

    def test_a_start_does_not_bring_it_back(self):
        """The environment still names it, and there is another one."""
        self.start()
        self.removed()
        found = ensure_host(url="memory://one", database_host="x", publish_address="")
        assert found == self.other

    def test_an_active_one_is_not_removed(self):
        assert "drain or cordon it first" in self.refusal()

    def test_what_is_there_still_is_named(self):
        instance = self.filled()
        DockerHost.objects.filter(pk=self.host.pk).update(state="cordoned")
        text = self.refusal()
        assert str(instance) in text and "drain it" in text

    def test_a_backup_that_is_only_there_stops_it(self):
        """I12."""
        backup = self.verified(self.filled())
        self.accept_deprovision(backup.instance)
        self.rounds(2)
        DockerHost.objects.filter(pk=self.host.pk).update(state="cordoned")
        assert "backup of" in self.refusal()

    def test_one_that_answers_is_not_lost(self):
        self.start()
        assert "it answers" in self.refusal(is_lost=True)


class LostTest(Removals):
    """F42, F43: a host that never comes back takes its debts along."""

    def lose(self) -> None:
        self.world.machine.is_down = True
        DockerHost.objects.filter(pk=self.host.pk).update(
            problem="down", state="cordoned"
        )

    def test_instances_that_are_there_stop_it(self):
        self.filled()
        self.lose()
        assert "i-1 is there still" in self.refusal(is_lost=True)

    def test_what_was_to_be_removed_there_is_forgotten(self):
        instance = self.filled()
        self.faults.on("remove_witness", self.lose)
        operation = self.moved(instance)
        assert operation.state == "succeeded", operation.detail
        assert "is being removed" in self.refusal()
        self.removed(is_lost=True)
        assert Container.objects.exclude(state="gone").get() == instance.container
        assert self.rows(self.binding) == 1
        assert not Operation.objects.unfinished().exists()

    def test_backups_with_a_copy_live_on_and_others_are_gone(self):
        instance = self.filled()
        copied, lost = self.verified(instance), self.verified(instance)
        backup_copies.accept(copied, self.other, actor=ACTOR)
        self.rounds(2)
        self.moved(instance)
        self.lose()
        self.removed(is_lost=True)
        copied.refresh_from_db()
        lost.refresh_from_db()
        assert (copied.host, copied.state) == (self.other, "verified")
        assert lost.state == Backup.State.GONE and "was lost" in lost.problem
