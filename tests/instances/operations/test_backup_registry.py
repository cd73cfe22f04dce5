"""Copies of backups in a registry: pushed on demand, pulled when an image is lost."""

from unittest import mock

from instances import errors
from instances.models import BackupCopy
from instances.operations import backup_copies, proof, registry
from tests.fakes.transfers import REGISTRY
from tests.instances.base import ACTOR
from tests.instances.operations.test_backup_copies import CopyTestCase

PLACE = "r.example.com/backups"


class InTheRegistry(CopyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(self.settings(BACKUP_REGISTRY=PLACE))

    def pushed(self) -> BackupCopy:
        backup_copies.accept(self.backup, None, actor=ACTOR)
        self.work()
        return BackupCopy.objects.get(host=None)

    def test_it_is_pushed(self):
        copy = self.pushed()
        assert copy.state == "ready", copy.error
        assert copy.digest
        assert REGISTRY.keys() == {f"{PLACE}@{copy.digest}"}
        assert copy.where == f"registry {PLACE}"

    def test_from_there_a_missing_image_comes_back(self):
        self.pushed()
        self.machine.backups.clear()
        self.sweep()
        self.sweep()
        self.work()
        self.sweep()
        while proof.prove_next():
            pass
        assert self.fresh().state == "verified"

    def test_what_is_pulled_must_be_the_same_image(self):
        copy = self.pushed()
        image = REGISTRY[f"{PLACE}@{copy.digest}"]
        image.data += b"tampered with"
        image.config = b""
        self.machine.backups.clear()
        self.sweep()
        self.sweep()
        self.work()
        back = BackupCopy.objects.get(host=self.host)
        assert back.state == "failed"
        assert self.fresh().state == "missing"

    def test_it_goes_with_its_backup(self):
        copy = self.pushed()
        self.fresh().move("expiring", only_from=("verified",))
        with mock.patch.object(registry, "delete_manifest") as delete:
            self.sweep()
            self.sweep()
        assert delete.call_args.args[:2] == (PLACE, copy.digest)
        assert BackupCopy.objects.get().state == "gone"

    def test_a_registry_that_does_not_delete_is_said(self):
        self.pushed()
        self.fresh().move("expiring", only_from=("verified",))
        refusal = errors.ImageFailed(detail="remove it there by hand")
        with mock.patch.object(registry, "delete_manifest", side_effect=refusal):
            self.sweep()
        copy = BackupCopy.objects.get()
        assert (copy.state, copy.error) == ("failed", "remove it there by hand")
