"""Room on a host's disk: asked for before a commit, and kept with its age."""

from datetime import timedelta

import pytest
from django.utils import timezone

from instances import errors
from instances.models import Backup, Container, DockerHost
from instances.operations import host_disk, restore
from instances.operations.reconcile import reconcile
from tests.fakes import check_invariants, drain
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR

MIB = 2**20


class RoomTestCase(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        DockerHost.objects.update(reserve_mb=1000)
        self.instance = self.filled()
        Container.objects.update(disk_bytes=100 * MIB)

    def leave(self, free_mb: int | None) -> None:
        self.world.machine.free_bytes = None if free_mb is None else free_mb * MIB
        DockerHost.objects.update(free_measured_at=None)

    def assert_nothing_is_harmed(self) -> None:
        instance = self.instance
        container = self.world.container_of(instance)
        assert set(container.databases) == {instance.database}
        self.log_in(self.binding).write(instance.database)
        check_invariants(self.world)


class BackupTest(RoomTestCase):
    def test_without_room_it_fails_before_writers_are_held(self):
        """F92, I13: 1.2 of the layer, and what is kept free."""
        self.leave(1119)
        backup = self.backed_up(self.instance)
        assert backup.state == "failed"
        assert "has 1119 MiB of disk free, and 1120 are needed" in backup.problem
        assert "commit" not in self.faults.calls
        assert self.faults.calls.count("free_bytes") == 1, "no use in trying again"
        self.assert_nothing_is_harmed()

    def test_with_just_enough_it_is_taken(self):
        self.leave(1120)
        assert self.backed_up(self.instance).state == "committed"

    def test_a_disk_that_fills_during_the_commit_fails_it_at_once(self):
        """F92: writers are not held three times for nothing."""
        self.faults.on("commit", errors.DiskFull(detail="no space left on device"))
        backup = self.backed_up(self.instance)
        assert (backup.state, backup.problem) == ("failed", "no space left on device")
        assert self.faults.calls.count("commit") == 1
        self.assert_nothing_is_harmed()

    def test_where_nobody_can_say_it_is_tried(self):
        self.leave(None)
        assert self.backed_up(self.instance).state == "committed"

    def test_a_layer_that_was_never_measured_is_measured(self):
        Container.objects.update(disk_bytes=None)
        self.world.container_of(self.instance).size = 200 * MIB
        self.leave(1120)
        assert "1240 are needed" in self.backed_up(self.instance).problem

    def test_a_final_one_may_use_what_is_kept_free(self):
        """Its database's own layer goes after it."""
        type(self.plan).objects.update(final_backup_days=7)
        self.leave(150)
        self.accept_deprovision(self.instance)
        drain()
        assert Backup.objects.get().state == "committed"


class RestoreTest(RoomTestCase):
    def test_without_room_it_fails_and_the_old_one_runs_on(self):
        """F92, F102."""
        backup = self.verified(self.instance)
        Backup.objects.update(delta_bytes=100 * MIB)
        self.leave(1100)
        operation = restore.accept(backup, actor=ACTOR, is_safe=False)
        drain()
        reconcile(self.host)
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert "1120 are needed" in operation.detail
        assert "stop" not in self.faults.calls
        self.assert_nothing_is_harmed()

    def test_a_new_instance_fails_and_leaves_nothing(self):
        """F92."""
        backup = self.verified(self.instance)
        Backup.objects.update(delta_bytes=100 * MIB)
        self.leave(1100)
        wish = {"restore_from": {"backup": str(backup.pk)}}
        clone = self.accept_provision("i-2", parameters=wish)
        drain()
        clone.refresh_from_db()
        assert clone.state == "failed"
        reconcile(self.host)
        self.assert_nothing_is_harmed()


class AgeTest(RoomTestCase):
    def asked(self) -> int:
        return self.faults.calls.count("free_bytes")

    def test_an_answer_is_good_for_a_minute(self):
        for _ in range(2):
            self.backed_up(self.instance)
        assert self.asked() == 1
        at = timezone.now() - timedelta(seconds=61)
        DockerHost.objects.update(free_measured_at=at)
        self.backed_up(self.instance)
        assert self.asked() == 2

    def test_the_console_s_is_asked_for_every_five_minutes(self):
        for minutes, asked in ((0, 1), (4, 1), (6, 2)):
            host = DockerHost.objects.get()
            if minutes:
                host.free_measured_at = timezone.now() - timedelta(minutes=minutes)
            host_disk.measure_if_due(host)
            assert self.asked() == asked
        assert DockerHost.objects.get().free_bytes == 100 * 2**30

    def test_a_host_without_containers_is_not_asked(self):
        Container.objects.update(state="gone")
        host_disk.measure_if_due(DockerHost.objects.get())
        assert self.asked() == 0

    def test_a_host_that_is_down_says_so(self):
        self.world.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            host_disk.measure_if_due(DockerHost.objects.get())
