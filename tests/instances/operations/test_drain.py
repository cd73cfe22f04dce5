"""Drain: everything leaves a host by itself, however often that is begun."""

from datetime import timedelta

import pytest
from django.utils import timezone

from instances import errors
from instances.models import (
    Backup,
    BackupCopy,
    Container,
    DockerHost,
    HostImage,
    Kind,
    Operation,
    PortLease,
    ServiceBinding,
)
from instances.operations import backup_copies, drain, leftovers, move
from instances.operations.standby import Standbys
from tests.fakes import check_invariants, make_host
from tests.fakes import drain as work
from tests.instances.base import ACTOR
from tests.instances.draining import Drains


class DrainTest(Drains):
    def test_all_instances_move_and_keep_their_rows(self):
        """F42 by choice: nothing of ours is left, and every binding works."""
        bound = []
        for number in range(5):
            self.filled(f"i-{number}")
            bound.append(self.binding)
        self.start()
        self.rounds()
        assert self.world.machine.containers == {}
        assert leftovers.of(self.host) == [] and leftovers.is_empty(self.host)
        for binding in bound:
            assert self.rows(binding) == 1
            assert binding.credentials["host"] == self.other.database_host
        assert ServiceBinding.objects.stale().count() == 5
        leased = PortLease.objects.filter(container__isnull=False)
        assert {lease.host for lease in leased} == {self.other}
        check_invariants(self.world)

    def test_so_many_at_once_and_no_more(self):
        for number in range(5):
            self.filled(f"i-{number}")
        self.start(at_once=3)
        for _ in range(3):
            drain.advance(self.host)
            moving = Operation.objects.unfinished().filter(kind=Kind.MOVE)
            assert moving.count() == 3
        work()
        drain.advance(self.host)
        assert Operation.objects.unfinished().filter(kind=Kind.MOVE).count() == 2

    def test_standbys_are_given_up_and_made_elsewhere(self):
        self.plan.standby = 1
        self.plan.save()
        Standbys().replenish()
        assert Container.objects.standbys().get().host == self.host
        self.start()
        self.rounds(3)
        assert Container.objects.standbys().get().host == self.other
        assert self.world.machine.containers == {}

    def test_nothing_new_comes(self):
        self.start()
        assert self.provisioned("i-new").container.host == self.other

    def test_the_images_of_this_broker_go_last(self):
        instance = self.filled()
        HostImage.objects.want(self.host, self.plan.image)
        HostImage.objects.update(state="ready")
        self.start()
        drain.advance(self.host)
        assert self.plan.image in self.world.machine.images
        self.rounds()
        assert self.plan.image not in self.world.machine.images
        assert not self.host.images.exists()
        assert self.plan.image in self.world.at(self.other.url).images
        assert self.rows(self.binding) == 1
        instance.refresh_from_db()

    def test_an_image_that_somebody_else_brought_stays(self):
        self.filled()
        self.start()
        self.rounds()
        assert self.plan.image in self.world.machine.images

    def test_what_has_no_room_stays_and_says_so(self):
        """Level-triggered: once there is room, it goes."""
        instance = self.filled()
        DockerHost.objects.filter(pk=self.other.pk).update(memory_mb=10)
        self.start()
        self.rounds(2)
        (left,) = leftovers.of(self.host)
        assert left.row == instance and left.is_stuck
        assert "two: 10 of 10 MiB free" in left.why
        assert self.rows(self.binding) == 1
        DockerHost.objects.filter(pk=self.other.pk).update(memory_mb=4096)
        self.rounds(3)
        assert leftovers.of(self.host) == []
        assert self.rows(self.binding) == 1

    def test_a_failed_move_is_tried_again_later(self):
        self.filled()
        self.world.at(self.other.url).failing_images[self.plan.image] = 1
        self.start()
        self.rounds(3)
        assert Operation.objects.filter(kind=Kind.MOVE).count() == 1
        assert "tried again: " in leftovers.of(self.host)[0].why
        self.world.at(self.other.url).failing_images.clear()
        Operation.objects.filter(kind=Kind.MOVE).update(
            finished_at=timezone.now() - timedelta(minutes=3)
        )
        self.rounds(3)
        assert leftovers.of(self.host) == []

    def test_a_host_that_does_not_answer_is_waited_for(self):
        self.filled()
        self.start()
        DockerHost.objects.filter(pk=self.host.pk).update(problem="down")
        drain.advance(self.host)
        assert not Operation.objects.unfinished().exists()

    def test_twice_is_refused(self):
        self.start()
        with pytest.raises(errors.ConcurrencyError):
            self.start()

    def test_numbers_that_are_none(self):
        for number in (0, 11):
            with pytest.raises(errors.InvalidRequest, match="from 1 to 10"):
                self.start(at_once=number)


class CancelTest(Drains):
    def test_what_has_moved_stays_and_what_waits_does_not_go(self):
        first, second = self.filled("i-1"), self.filled("i-2")
        self.start(at_once=1)
        self.round()
        drain.advance(self.host)
        drain.cancel(self.host, to="active", actor=ACTOR)
        self.rounds(3)
        first.refresh_from_db()
        second.refresh_from_db()
        hosts = {first.container.host, second.container.host}
        assert hosts == {self.host, self.other}
        self.host.refresh_from_db()
        assert (self.host.state, self.host.drain_since) == ("active", None)
        cancelled = Operation.objects.get(kind=Kind.MOVE, state="cancelled")
        assert "cancelled" in cancelled.error
        check_invariants(self.world)

    def test_what_an_operator_moves_goes_on(self):
        instance = self.filled()
        self.start()
        move.accept(instance, actor=ACTOR, is_safe=False)
        drain.cancel(self.host, to="cordoned", actor=ACTOR)
        self.rounds(1)
        instance.refresh_from_db()
        assert instance.container.host == self.other

    def test_only_what_drains_can_be_cancelled(self):
        with pytest.raises(errors.ConcurrencyError):
            drain.cancel(self.host, to="active", actor=ACTOR)
        with pytest.raises(errors.InvalidRequest, match="active or cordoned"):
            drain.cancel(self.host, to="removed", actor=ACTOR)


class BackupsTest(Drains):
    def test_backups_get_the_other_host_as_their_own(self):
        """F94, F98: they can be restored when the first one is gone."""
        instance = self.filled()
        backup = self.verified(instance)
        self.start()
        self.rounds()
        backup.refresh_from_db()
        assert (backup.host, backup.state) == (self.other, "verified")
        assert backup.reference in self.world.at(self.other.url).backups
        assert self.world.machine.backups == {}
        assert set(backup.copies.values_list("state", flat=True)) == {"gone"}
        assert leftovers.of(self.host) == []

    def test_those_that_the_moves_take_come_along_too(self):
        self.filled()
        self.start(is_safe=True)
        self.rounds()
        backup = Backup.objects.get()
        assert (backup.trigger, backup.state) == ("move", "verified")
        assert backup.host == self.other
        assert self.world.machine.backups == {}

    def test_backups_of_deleted_instances_too(self):
        instance = self.filled()
        backup = self.verified(instance)
        self.accept_deprovision(instance)
        work()
        self.start()
        self.rounds()
        backup.refresh_from_db()
        assert backup.host == self.other
        assert leftovers.of(self.host) == []

    def test_without_another_disk_they_stay_and_say_so(self):
        backup = self.verified(self.filled())
        DockerHost.objects.filter(pk=self.other.pk).update(
            free_bytes=1, free_measured_at=timezone.now()
        )
        self.world.at(self.other.url).free_bytes = 2 * 2**30
        self.start()
        drain.advance(self.host)
        stuck = [left for left in leftovers.of(self.host) if left.row == backup]
        assert stuck[0].is_stuck and "no other host" in stuck[0].why

    def test_a_copy_of_anothers_backup_goes(self):
        third = make_host("three")
        instance = self.filled()
        backup = self.verified(instance)
        backup_copies.accept(backup, third, actor=ACTOR)
        self.rounds(2)
        drain.accept(third, at_once=1, is_safe=False, actor=ACTOR)
        self.rounds(3)
        assert self.world.at(third.url).backups == {}
        assert leftovers.of(third) == []
        backup.refresh_from_db()
        assert (backup.host, backup.state) == (self.host, "verified")

    def test_the_last_copy_of_a_lost_host_does_not_go(self):
        """I12: it gets a third host first."""
        third = make_host("three")
        instance = self.filled()
        backup = self.verified(instance)
        backup_copies.accept(backup, third, actor=ACTOR)
        self.rounds(2)
        self.world.machine.is_down = True
        DockerHost.objects.filter(pk=self.host.pk).update(problem="down")
        DockerHost.objects.filter(pk=self.other.pk).update(state="cordoned")
        drain.accept(third, at_once=1, is_safe=False, actor=ACTOR)
        self.rounds(2)
        assert backup.copies.get(host=third).state == "ready"
        assert backup.reference in self.world.at(third.url).backups
        DockerHost.objects.filter(pk=self.other.pk).update(state="active")
        self.rounds(3)
        assert backup.reference in self.world.at(self.other.url).backups
        assert BackupCopy.objects.get(host=third).state == "gone"
