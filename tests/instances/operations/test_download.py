"""Downloads: a verified backup as a file, the same at every time."""

import hashlib
import json
from unittest import mock

import pytest
from django.db import DatabaseError

from instances import errors
from instances.containers import gzip_stream
from instances.models import AuditEvent, Backup
from instances.operations import download, transfers
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR
from tests.instances.test_backup_archives import files


class DownloadTestCase(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.filled()
        self.backup = self.verified(self.instance)

    def begin(self) -> download.Download:
        self.backup.refresh_from_db()
        found = download.accept(self.backup, actor=ACTOR)
        self.addCleanup(found.close)
        return found

    def downloaded(self) -> bytes:
        return b"".join(self.begin())

    def slots(self) -> int:
        """How many transfers may begin."""
        taken = []
        try:
            while True:
                taken.append(transfers.Slot())
        except errors.TransfersBusy:
            return len(taken)
        finally:
            for slot in taken:
                slot.release()


class Downloaded(DownloadTestCase):
    def test_the_file_says_all_that_another_broker_needs(self):
        found = files(b"".join(gzip_stream.unpacked(iter([self.downloaded()]))))
        said = json.loads(found["brokersite.json"])
        assert said["engine"] == "mariadb"
        assert said["witness"] == self.backup.id.hex
        assert said["database"] == self.instance.database
        assert said["inventory"]["before"]["witness"] == 1
        (entry,) = json.loads(found["manifest.json"])
        assert entry["RepoTags"] == [self.backup.reference]

    def test_the_first_one_leaves_checksum_and_length_for_the_next(self):
        first = self.begin()
        assert first.length is None
        content = b"".join(first)
        again = self.begin()
        assert again.length == len(content)
        assert b"".join(again) == content
        self.backup.refresh_from_db()
        assert self.backup.archive_sha256 == hashlib.sha256(content).hexdigest()

    def test_another_recipe_makes_another_file(self):
        self.downloaded()
        with mock.patch.object(download, "RECIPE", "another"):
            assert self.begin().length is None

    def test_it_is_noted_who_has_it(self):
        """S24, S49."""
        self.begin()
        event = AuditEvent.objects.get(action="download backup")
        assert event.actor_name == ACTOR.name
        assert event.changes == {"backup": str(self.backup.pk)}

    def test_its_name_tells_of_no_tenant(self):
        name = download.file_name(self.backup)
        assert name.startswith("mariadb-backup-20")
        assert self.instance.guid not in name
        assert name.endswith(f"{self.backup.pk.hex[:8]}.tar.gz")

    def test_a_database_that_fails_at_the_end_spoils_no_file(self):
        found = self.begin()
        with mock.patch.object(Backup.objects, "filter", side_effect=DatabaseError):
            assert b"".join(found)


class Refused(DownloadTestCase):
    def test_only_a_verified_one(self):
        for state in set(Backup.State) - {"verified"}:
            Backup.objects.update(state=state)
            with pytest.raises(errors.InvalidRequest, match="only a verified one"):
                self.begin()
        assert not AuditEvent.objects.filter(action="download backup").exists()

    def test_an_image_that_is_gone_is_said_before_the_first_byte(self):
        self.world.machine.backups.clear()
        with pytest.raises(errors.ImageMissing):
            self.begin()
        assert self.slots() == transfers.MOST

    def test_a_host_that_does_not_answer(self):
        self.world.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            self.begin()
        assert self.slots() == transfers.MOST

    def test_another_image_under_its_name_is_not_given_away(self):
        image = self.world.machine.backups[self.backup.reference]
        image.data += b"more"
        with pytest.raises(errors.ArchiveRefused):
            self.downloaded()
        assert self.world.machine.saving == 0

    def test_more_than_a_process_carries(self):
        held = [self.begin() for _ in range(transfers.MOST)]
        with pytest.raises(errors.TransfersBusy):
            self.begin()
        held[0].close()
        assert self.downloaded()


class BrokenOff(DownloadTestCase):
    def test_who_goes_away_ends_the_work_of_docker(self):
        with mock.patch.object(gzip_stream, "LEVEL", 0):
            found = self.begin()
        next(found)
        for _ in range(2):
            found.close()
        assert self.world.machine.saving == 0
        assert self.slots() == transfers.MOST

    def test_one_that_nobody_has_read_of_ends_too(self):
        self.begin().close()
        assert self.world.machine.saving == 0
        assert self.slots() == transfers.MOST

    def test_it_leaves_no_checksum(self):
        self.begin().close()
        self.backup.refresh_from_db()
        assert not self.backup.archive_sha256
