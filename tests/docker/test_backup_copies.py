"""Copies of real backups: between two Docker Engines, and by way of a registry."""

import pytest

from instances.models import Backup, BackupCopy, DockerHost
from instances.operations import backup_copies, retention
from tests.docker import engine_under_test as real
from tests.docker import registry
from tests.docker.real_instances import ACTOR, OWNER, RealInstances
from tests.docker.second_docker import SecondDocker


class CopyTestCase(RealInstances):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned("redis")
        self.binding = self.bound("b-1")
        self.session(self.binding).add(4711)
        self.backup = self.verified(self.instance)

    def work(self) -> None:
        while (row := BackupCopy.objects.claim_next(OWNER)) is not None:
            backup_copies.perform(row)

    def sweep(self) -> None:
        retention.sweep()
        backup_copies.sweep()

    def made(self, host: DockerHost | None) -> BackupCopy:
        assert backup_copies.accept(self.backup, host, actor=ACTOR)
        self.work()
        copy = BackupCopy.objects.get(host=host)
        assert copy.state == "ready", copy.error
        return copy

    def lose_and_heal(self) -> None:
        """The host loses the image, and a copy brings it back."""
        self.docker.images.remove(self.backup.reference)
        self.sweep()
        self.backup.refresh_from_db()
        assert self.backup.state == "missing"
        self.sweep()
        self.work()
        self.sweep()
        assert self.proved(self.backup).state == "verified", self.backup.problem
        image = self.docker.images.get(self.backup.reference)
        assert image.id == self.backup.image_id
        self.session(self.binding).add(1)
        self.restored(self.backup, is_safe=False)
        assert self.session(self.binding).numbers() == {4711}

    def expire(self) -> None:
        Backup.objects.filter(pk=self.backup.pk).update(state="expiring")
        for _ in range(2):
            self.sweep()


class OtherHostTest(CopyTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.second = cls.enterClassContext(SecondDocker())

    def setUp(self) -> None:
        super().setUp()
        self.other = DockerHost.objects.create(
            name="second",
            url=self.second.url,
            database_host="127.0.0.1",
            publish_address="127.0.0.1",
            memory_mb=1024,
        )
        self.addCleanup(self.clear)

    def clear(self) -> None:
        api = self.second.api
        for row in api.images():
            api.remove_image(row["Id"], force=True)

    def test_only_what_the_other_host_lacks_is_sent(self):
        """A base image is hundreds of MiB, and a backup's own some of them."""
        whole = self.made(self.other).sent_bytes
        assert whole > 50 * 2**20
        backup_copies.accept_removal(BackupCopy.objects.get(), actor=ACTOR)
        self.sweep()
        assert self.second.api.images() == []

        self.second.load(self.docker.api, real.IMAGES["redis"])
        part = self.made(self.other).sent_bytes
        assert part < whole / 20
        image = self.second.api.inspect_image(self.backup.reference)
        assert image["Id"] == self.backup.image_id
        # The layers that were left out are there all the same.
        source = self.docker.api.inspect_image(self.backup.reference)
        assert image["RootFS"] == source["RootFS"]
        assert image["Size"] == source["Size"]

        self.lose_and_heal()
        self.expire()
        tags = [tag for row in self.second.api.images() for tag in row["RepoTags"]]
        assert tags == [real.IMAGES["redis"]]
        assert BackupCopy.objects.get(host=self.other).state == "gone"


@pytest.mark.skipif(registry.is_missing(), reason="no docker-registry here")
class RegistryTest(CopyTestCase):
    def push(self, place: registry.Registry) -> BackupCopy:
        self.enterContext(
            self.settings(BACKUP_REGISTRY=f"{place.address}/team/backups")
        )
        copy = self.made(None)
        assert copy.digest.startswith("sha256:")
        tags = self.docker.images.get(self.backup.reference).tags
        assert tags == [self.backup.reference]
        return copy

    def test_a_missing_image_comes_back_and_the_copy_goes_with_its_backup(self):
        place = self.enterContext(registry.Registry(deletes=True))
        copy = self.push(place)
        self.lose_and_heal()
        self.expire()
        copy.refresh_from_db()
        assert copy.state == "gone", copy.error

    def test_a_registry_that_does_not_delete_is_said(self):
        copy = self.push(self.enterContext(registry.Registry()))
        self.expire()
        copy.refresh_from_db()
        assert copy.state == "failed"
        assert "remove it there by hand" in copy.error

    def test_a_registry_that_is_not_there_is_said(self):
        self.enterContext(self.settings(BACKUP_REGISTRY="127.0.0.1:1/backups"))
        backup_copies.accept(self.backup, None, actor=ACTOR)
        self.work()
        copy = BackupCopy.objects.get()
        assert copy.state == "failed"
        assert "127.0.0.1:1" in copy.error
        tags = self.docker.images.get(self.backup.reference).tags
        assert tags == [self.backup.reference]
