"""Copies of backups: made once, used where they help, and gone with their backup."""

from typing import Any
from unittest import mock

import pytest

from instances import errors
from instances.containers import Access
from instances.models import AuditEvent, Backup, BackupCopy, DockerHost, ServiceInstance
from instances.operations import (
    backup_copies,
    backup_places,
    proof,
    provision,
    restore,
    retention,
)
from tests.fakes import AFTER, BEFORE, WORKER, Crash, drain, make_host
from tests.fakes.transfers import REGISTRY
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR, IDS


class CopyTestCase(BackupTestCase):
    """A verified backup on host one, and host two."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.filled()
        self.backup = self.verified(self.instance)
        self.other = make_host("two")
        self.machine, self.second = self.world.machine, self.world.at("memory://two")
        self.addCleanup(REGISTRY.clear)

    def work(self) -> None:
        """What workers do until no copy is wanted."""
        while (row := BackupCopy.objects.claim_next(WORKER)) is not None:
            backup_copies.perform(row)

    def sweep(self) -> None:
        retention.sweep()
        backup_copies.sweep()

    def copied(self, host: DockerHost | None = None) -> BackupCopy:
        backup_copies.accept(self.backup, host or self.other, actor=ACTOR)
        self.work()
        return BackupCopy.objects.get(host=host or self.other)

    def fresh(self) -> Backup:
        self.backup.refresh_from_db()
        return self.backup

    def expire_copy_leases(self) -> None:
        BackupCopy.objects.filter(state="working").update(
            leased_until="2026-01-01T00:00:00Z"
        )


class Copied(CopyTestCase):
    def test_it_is_the_same_image(self):
        copy = self.copied()
        assert copy.state == "ready", copy.error
        assert self.second.backups.keys() == {self.backup.reference}
        assert copy.checked_at is not None

    def test_layers_that_the_host_has_are_not_sent(self):
        whole = self.machine.backups[self.backup.reference]
        copy = self.copied()
        assert self.second.backups[self.backup.reference].data == whole.data
        assert 0 < copy.sent_bytes

    def test_a_host_that_wants_all_layers_gets_them(self):
        """containerd's image store."""
        refusal = errors.ArchiveRefused(detail="content digest: not found")
        self.faults.on("load_image", refusal)
        with mock.patch.object(type(self.connected()), "count_known", return_value=1):
            copy = self.copied()
        assert copy.state == "ready", copy.error
        assert self.faults.calls.count("load_image") == 2

    def connected(self) -> Any:
        return self.world.connect(Access("memory://two"))

    def test_wanting_it_twice_is_one_copy(self):
        assert backup_copies.accept(self.backup, self.other, actor=ACTOR)
        assert not backup_copies.accept(self.backup, self.other, actor=ACTOR)
        self.work()
        assert not backup_copies.accept(self.backup, self.other, actor=ACTOR)
        assert BackupCopy.objects.count() == 1
        assert AuditEvent.objects.filter(action="copy backup").count() == 1

    def test_only_a_verified_one_and_not_to_where_it_is(self):
        with pytest.raises(errors.InvalidRequest, match="the backup itself is on"):
            backup_copies.accept(self.backup, self.host, actor=ACTOR)
        Backup.objects.update(state="committed")
        with pytest.raises(errors.InvalidRequest, match="only a verified one"):
            backup_copies.accept(self.fresh(), self.other, actor=ACTOR)
        with pytest.raises(errors.InvalidRequest, match="no registry"):
            Backup.objects.update(state="verified")
            backup_copies.accept(self.fresh(), None, actor=ACTOR)

    def test_two_rows_for_one_docker_engine_make_no_copy(self):
        """Removing it would remove the backup."""
        self.world.machines["memory://two"] = self.machine
        copy = self.copied()
        assert copy.state == "failed"
        assert "same Docker Engine" in copy.error
        self.sweep()
        backup_copies.accept_removal(copy, actor=ACTOR)
        self.sweep()
        self.sweep()
        assert self.backup.reference in self.machine.backups

    def test_another_image_under_its_name_is_no_copy(self):
        self.copied()
        self.second.backups[self.backup.reference].config = b"{}"
        BackupCopy.objects.update(state="failed")
        copy = self.copied()
        assert copy.state == "failed"
        assert "not the same" in copy.error or "is sha256" in copy.error

    def test_a_host_that_is_down_is_said(self):
        self.second.is_down = True
        copy = self.copied()
        assert (copy.state, copy.error) == ("failed", "the machine is down")
        self.second.is_down = False
        assert self.copied().state == "ready"


class Killed(CopyTestCase):
    """At every call: another worker goes on, and nothing is left."""

    CALLS = ("find", "count_known", "save_image", "load_image")

    def test_killed_at_any_call_it_is_made_all_the_same(self):
        for call in self.CALLS:
            for moment in (BEFORE, AFTER):
                with self.subTest(call=call, moment=moment):
                    self.faults.on(call, Crash(), moment=moment)
                    with pytest.raises(Crash):
                        self.copied()
                    self.faults.clear()
                    self.sweep()
                    self.expire_copy_leases()
                    self.work()
                    copy = BackupCopy.objects.get()
                    assert copy.state == "ready", copy.error
                    backup_copies.accept_removal(copy, actor=ACTOR)
                    self.sweep()
                    assert self.second.backups == {}
                    assert BackupCopy.objects.get().state == "gone"

    def test_one_that_ends_its_worker_again_and_again_is_given_up(self):
        backup_copies.accept(self.backup, self.other, actor=ACTOR)
        for _ in range(4):
            self.faults.on("load_image", Crash(), moment=AFTER)
            try:
                self.work()
            except Crash:
                self.second.backups.clear()
            self.expire_copy_leases()
        self.faults.clear()
        self.work()
        assert BackupCopy.objects.get().state == "failed"

    def test_a_failed_one_leaves_no_image(self):
        self.copied()
        BackupCopy.objects.update(state="failed")
        self.sweep()
        assert self.second.backups == {}
        assert self.backup.reference in self.machine.backups

    def test_a_stop_hands_it_back(self):
        backup_copies.accept(self.backup, self.other, actor=ACTOR)
        row = BackupCopy.objects.claim_next(WORKER)
        backup_copies.perform(row, is_stopping=lambda: True)
        assert BackupCopy.objects.get().state == "wanted"

    def test_who_has_lost_the_lease_writes_nothing(self):
        backup_copies.accept(self.backup, self.other, actor=ACTOR)
        row = BackupCopy.objects.claim_next(WORKER)
        BackupCopy.objects.update(attempts=7)
        backup_copies.perform(row)
        assert BackupCopy.objects.get().state == "working"


class Used(CopyTestCase):
    def test_a_restore_reads_the_copy_when_the_host_is_down(self):
        self.copied()
        DockerHost.objects.filter(pk=self.host.pk).update(problem="down")
        assert backup_places.holder(self.fresh()) == self.other

    def test_a_clone_reads_the_copy_that_is_near(self):
        self.copied()
        backup = self.fresh()
        assert backup_places.holder(backup) == self.host
        assert backup_places.holder(backup, near=self.other) == self.other
        DockerHost.objects.filter(pk=self.host.pk).update(state="cordoned")
        before = self.faults.calls.count("read_archive")
        provision.accept(
            guid="i-2",
            parameters={"restore_from": {"backup": str(self.backup.pk)}},
            context={},
            organization_guid="o-1",
            space_guid="s-1",
            actor=ACTOR,
            **IDS,
        )
        with mock.patch.object(proof, "scratch", wraps=proof.scratch) as scratch:
            drain()
        clone = ServiceInstance.objects.get_live("i-2")
        assert clone.container.host == self.other
        assert scratch.call_args.args[1] == self.other
        assert self.faults.calls.count("read_archive") == before + 1
        assert len(self.world.container_of(clone).databases[clone.database]) == 1

    def test_a_backup_on_another_host_is_restored_in_place(self):
        """F101: It is read from there, or from a copy."""
        self.copied()
        self.machine.backups.clear()
        DockerHost.objects.filter(pk=self.host.pk).update(problem="")
        Backup.objects.update(host=self.other)
        BackupCopy.objects.all().delete()
        restore.accept(self.fresh(), actor=ACTOR, is_safe=False)
        drain()
        assert (
            self.instance.operations.filter(kind="restore").get().state == "succeeded"
        )

    def test_an_image_that_has_gone_comes_back_from_the_copy(self):
        self.copied()
        self.machine.backups.clear()
        self.sweep()
        assert self.fresh().state == "missing"
        self.sweep()
        self.work()
        self.sweep()
        while proof.prove_next():
            pass
        assert self.fresh().state == "verified"
        assert self.backup.reference in self.machine.backups
        states = dict(BackupCopy.objects.values_list("host__name", "state"))
        assert states == {"one": "gone", "two": "ready"}

    def test_a_copy_that_has_gone_is_said(self):
        self.copied()
        self.second.backups.clear()
        self.sweep()
        copy = BackupCopy.objects.get()
        assert copy.state == "failed"
        assert "not on the host any more" in copy.error
        assert self.fresh().state == "verified"


class Removed(CopyTestCase):
    def test_a_copy_goes_with_its_backup(self):
        self.copied()
        self.fresh().move("expiring", only_from=("verified",))
        self.sweep()
        self.sweep()
        assert self.machine.backups == self.second.backups == {}
        assert BackupCopy.objects.get().state == "gone"
        assert self.fresh().state == "gone"

    def test_a_host_that_is_down_keeps_it_waiting(self):
        self.copied()
        self.fresh().move("expiring", only_from=("verified",))
        self.second.is_down = True
        self.sweep()
        assert BackupCopy.objects.get().state == "expiring"
        self.second.is_down = False
        self.sweep()
        assert BackupCopy.objects.get().state == "gone"

    def test_an_operator_removes_one_and_the_backup_stays(self):
        backup_copies.accept_removal(self.copied(), actor=ACTOR)
        self.sweep()
        assert self.second.backups == {}
        assert self.backup.reference in self.machine.backups
        assert AuditEvent.objects.filter(action="remove backup copy").exists()

    def test_one_that_is_just_being_made_is_not_removed(self):
        backup_copies.accept(self.backup, self.other, actor=ACTOR)
        row = BackupCopy.objects.claim_next(WORKER)
        with pytest.raises(errors.ConcurrencyError):
            backup_copies.accept_removal(row, actor=ACTOR)

    def test_the_sweep_leaves_what_nothing_is_known_of(self):
        """F120: the rows may be older than the images."""
        self.copied()
        BackupCopy.objects.all().delete()
        make_host("three")
        for _ in range(2):
            self.sweep()
        assert self.backup.reference in self.second.backups
