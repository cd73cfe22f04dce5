"""Uploads: what comes in as a file is a backup once a proof has found the data."""

import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from instances import errors
from instances.containers import BACKUP_LABEL, BROKER_LABEL
from instances.models import AuditEvent, Backup, Broker, Operation, ServiceInstance
from instances.operations import (
    backup_description,
    backup_schedule,
    download,
    export,
    provision,
    restore,
    retention,
    transfers,
    upload,
)
from instances.operations.proof import prove_next
from tests.fakes import drain
from tests.fakes.transfers import tar
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR, IDS
from tests.instances.test_backup_archives import files

OWNER = "web-test-1"


class UploadTestCase(BackupTestCase):
    """A file that another broker's download has made, and an instance for it."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.filled()
        self.theirs = self.verified(self.instance)
        self.content = b"".join(download.accept(self.theirs, actor=ACTOR))
        self.database = self.instance.database
        # As if it came from elsewhere: nothing is known of it here.
        Backup.objects.all().delete()
        self.world.machine.backups.clear()

    def wish(self, **changes: Any) -> upload.Wish:
        return upload.Wish(**{"size": len(self.content), **changes})

    def receive(self, content: bytes | None = None, **changes: Any) -> Backup:
        content = self.content if content is None else content
        pieces = (content[at : at + 999] for at in range(0, len(content), 999))
        return self.receive_pieces(pieces, **changes)

    def receive_pieces(self, pieces: Iterator[bytes], **changes: Any) -> Backup:
        backup = upload.receive(
            self.instance, self.wish(**changes), pieces, owner=OWNER, actor=ACTOR
        )
        backup.refresh_from_db()
        return backup

    def proved(self, backup: Backup) -> Backup:
        while prove_next():
            pass
        backup.refresh_from_db()
        return backup

    def described(self, **changes: Any) -> bytes:
        """The file with something else in its description."""
        found = files(gzip.decompress(self.content))
        said = {**json.loads(found["brokersite.json"]), **changes}
        return tar({**found, "brokersite.json": json.dumps(said).encode()}.items())

    def assert_nothing_came_in(self, count: int = 1) -> None:
        rows = list(Backup.objects.all())
        assert [row.state for row in rows] == ["failed"] * count
        assert all(row.problem for row in rows)
        assert self.world.machine.backups == {}
        assert not Operation.objects.unfinished().exists()


class TakenIn(UploadTestCase):
    def test_it_is_not_green_before_a_proof(self):
        backup = self.receive()
        assert (backup.state, backup.trigger) == ("committed", "upload")
        assert self.proved(backup).state == "verified"
        assert backup.operation.state == "succeeded"
        assert backup.operation.kind == "upload"

    def test_nothing_of_the_uploaded_image_is_ever_run(self):
        """It could print whatever a proof wants to read."""
        backup = self.receive()
        self.world.machine.failing_images[backup.reference] = 1
        assert self.proved(backup).state == "verified"
        started = [row.spec.image for row in self.world.containers()]
        assert started == [self.plan.image]

    def test_it_is_not_exported_by_its_own_image(self):
        backup = self.proved(self.receive())
        with pytest.raises(errors.InvalidRequest, match="it was uploaded"):
            export.accept(backup, actor=ACTOR)

    def test_its_image_is_ours_by_name_and_label(self):
        """F134: what another broker has written on it is gone."""
        backup = self.receive()
        (reference,) = self.world.machine.backups
        assert reference == backup.reference
        assert self.world.machine.backups[reference].labels == {
            BROKER_LABEL: str(Broker.this().broker_id),
            BACKUP_LABEL: backup.id.hex,
        }

    def test_its_data_comes_back_in_place(self):
        backup = self.proved(self.receive())
        session = self.log_in(self.binding)
        session.wipe(self.database)
        restore.accept(backup, actor=ACTOR, is_safe=False)
        drain()
        assert self.log_in(self.binding).count(self.database) == 1

    def test_its_data_comes_back_as_a_new_instance(self):
        backup = self.proved(self.receive())
        provision.accept(
            guid="i-2",
            parameters={"restore_from": {"backup": str(backup.pk)}},
            context={},
            organization_guid="o-1",
            space_guid="s-1",
            actor=ACTOR,
            **IDS,
        )
        drain()
        clone = ServiceInstance.objects.get_live("i-2")
        assert clone.state == "ready"
        assert len(self.world.container_of(clone).databases[clone.database]) == 1

    def test_unpacked_it_comes_in_too(self):
        assert self.receive(gzip.decompress(self.content)).state == "committed"

    def test_the_right_checksum(self):
        checksum = hashlib.sha256(self.content).hexdigest()
        assert self.receive(checksum=checksum).state == "committed"

    def test_twice_gives_two(self):
        assert self.receive().pk != self.receive().pk
        assert len(self.world.machine.backups) == 2

    def test_it_is_noted_who_did_it(self):
        """S49."""
        self.receive()
        event = AuditEvent.objects.get(action="upload backup")
        assert event.actor_name == ACTOR.name

    def test_it_neither_counts_nor_stays_as_the_plan_says(self):
        self.plan.backup_keep = 1
        self.plan.save()
        own = self.verified(self.instance)
        uploaded = self.proved(self.receive())
        assert retention.expired(self.instance) == []
        assert restore.find(self.instance, "latest") == own
        assert uploaded.expires_at is not None

    def test_it_puts_no_scheduled_one_off(self):
        self.plan.backup_interval_h = 1
        self.plan.save()
        ServiceInstance.objects.update(created_at="2026-01-01T00:00:00Z")
        for _ in range(2):
            assert backup_schedule.due(backup_schedule.clocked().get()) == "schedule"
            self.proved(self.receive())


class Refused(UploadTestCase):
    def assert_refused(self, content: bytes | None = None, **changes: Any) -> str:
        with pytest.raises(errors.ArchiveRefused) as caught:
            self.receive(content, **changes)
        self.assert_nothing_came_in()
        return f"{caught.value} {caught.value.detail}"

    def test_the_wrong_checksum(self):
        reason = self.assert_refused(checksum="0" * 64)
        assert "checksum is another" in reason

    def test_another_engine(self):
        reason = self.assert_refused(self.described(engine="redis"))
        assert "of engine redis" in reason

    def test_more_memory_than_the_instance_has(self):
        self.assert_refused(self.described(memory_mb=10**6))

    def test_what_is_cut_off(self):
        assert "not complete" in self.assert_refused(self.content[:-500])

    def test_what_is_no_archive(self):
        self.assert_refused(b"<html>login</html>" * 100)

    def test_more_than_may_be(self):
        bomb = gzip.compress(bytes(3 * 2**20), 9)
        with self.settings(BACKUP_UPLOAD_LIMIT_MB=1):
            self.assert_refused(bomb)

    def test_descriptions_that_lie(self):
        """S33: nothing of them may reach SQL."""
        wrong: list[dict[str, Any]] = [
            {"format": 2},
            {"database": "d`; DROP DATABASE mysql; --"},
            {"witness": "' OR 1"},
            {"made_from": "x y"},
            {"made_from": "a" * 300},
            {"memory_mb": "256"},
            {"memory_mb": 0},
            {"memory_mb": True},
            {"taken_at": "2999-01-01T00:00:00+00:00"},
            {"taken_at": "yesterday"},
            {"inventory": {}},
            {"inventory": {"before": {"tables": -1}}},
            {"inventory": {"before": {"<b>": 1}}},
            {"inventory": []},
        ]
        for changes in wrong:
            with pytest.raises(errors.ArchiveRefused):
                self.receive(self.described(**changes))
        self.assert_nothing_came_in(len(wrong))
        for content in (b"", b"[]", b"null", b"[" * 5000, b"\xff"):
            with pytest.raises(errors.ArchiveRefused):
                backup_description.read(content)

    def test_what_does_not_hold_the_data_is_no_backup(self):
        """The description alone makes nothing green."""
        backup = self.receive(self.described(witness=uuid.uuid4().hex))
        for _ in range(3):
            self.proved(backup)
        assert backup.state == "failed"
        assert backup.verified_at is None

    def test_wishes_that_make_no_sense(self):
        for changes in ({"size": 0}, {"size": 2**60}, {"days": 0}, {"checksum": "x"}):
            with pytest.raises(errors.InvalidRequest):
                self.receive(**changes)
        assert not Backup.objects.exists()

    def test_an_instance_without_a_database(self):
        ServiceInstance.objects.update(state="gone")
        with pytest.raises(errors.ConcurrencyError):
            self.receive()
        assert not Backup.objects.exists()

    def test_more_than_a_process_carries(self):
        slots = [transfers.Slot() for _ in range(transfers.MOST)]
        with pytest.raises(errors.TransfersBusy):
            self.receive()
        for slot in slots:
            slot.release()
        assert self.receive()

    def test_a_database_of_another_name_is_not_restored_in_place(self):
        backup = self.proved(self.receive(self.described(database="dother")))
        Backup.objects.update(state="verified")
        backup.refresh_from_db()
        with pytest.raises(errors.InvalidRequest, match="called dother"):
            restore.accept(backup, actor=ACTOR)
