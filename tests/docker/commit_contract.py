"""How backup images are made and removed, said once for every container host."""

import uuid

import pytest

from instances import errors
from instances.containers import (
    BACKUP_LABEL,
    BROKER_LABEL,
    CONTAINER_LABEL,
    ContainerHost,
    ContainerSpec,
    ContainerStatus,
)

DATA = "/var/lib/mysql"


class CommitContract:
    """Facts; a subclass gives host, broker_id, created() and what looks inside."""

    host: ContainerHost
    broker_id: str

    def setUp(self) -> None:
        super().setUp()
        self.backup_id = uuid.uuid4().hex
        self.reference = f"brokersite/backup:{self.backup_id}"

    def started(self, **changes: object) -> ContainerSpec:
        spec = self.created(**changes)
        self.host.start(spec.name)
        return spec

    def commit(self, spec: ContainerSpec) -> str:
        self.host.commit(spec.name, self.reference, labels=self.labels())
        return self.reference

    def labels(self) -> dict[str, str]:
        return {BROKER_LABEL: self.broker_id, BACKUP_LABEL: self.backup_id}

    def find(self, spec: ContainerSpec) -> ContainerStatus:
        status = self.host.find(spec.name)
        assert status is not None
        return status

    def backups(self) -> dict[str, str]:
        return self.host.list_backups(broker_id=self.broker_id)

    def test_a_commit_makes_an_image_that_is_listed(self):
        spec = self.started()
        reference = self.commit(spec)
        assert self.host.images.find(reference) is not None
        assert self.backups() == {reference: self.backup_id}
        assert self.find(spec).is_running

    def test_its_container_label_is_blank(self):
        """F134: an image must not say that it is a container."""
        spec = self.started()
        labels = self.labels_of(self.commit(spec))
        assert labels[CONTAINER_LABEL] == ""
        assert labels[BROKER_LABEL] == self.broker_id
        assert self.find(spec).labels[CONTAINER_LABEL] == spec.labels[CONTAINER_LABEL]

    def test_what_is_made_of_it_is_made_of_its_data(self):
        spec = self.started()
        self.write(spec, "before")
        image = self.commit(spec)
        self.write(spec, "after")
        made = self.created(image=image)
        assert self.holds(made, "before")
        assert not self.holds(made, "after")

    def test_a_container_that_does_not_run_is_committed_too(self):
        spec = self.created()
        self.commit(spec)
        assert self.find(spec).state == "created"

    def test_committing_again_has_one_image_under_the_reference(self):
        """F89: the loser loses its name, and is listed by its id."""
        spec = self.started()
        self.commit(spec)
        self.write(spec, "more")
        reference = self.commit(spec)
        assert self.backups()[reference] == self.backup_id
        for other in self.backups().keys() - {reference}:
            self.host.remove_image(other)
        assert self.backups() == {reference: self.backup_id}

    def test_one_without_a_name_goes_by_its_id(self):
        """What a hot backup is made of, until that is done."""
        spec = self.started()
        self.write(spec, "before")
        image = self.host.commit(spec.name, "", labels=self.labels(), pauses=False)
        assert self.backups() == {image: self.backup_id}
        made = self.created(image=image)
        assert self.holds(made, "before")
        self.write(made, "added")
        reference = self.commit(made)
        assert self.backups() == {reference: self.backup_id}, "it is a part of that"
        for name in (spec.name, made.name):
            self.host.remove(name)
        self.host.remove_image(reference)
        assert self.backups() == {}
        assert self.host.images.find(image) is None

    def test_what_does_not_exist_cannot_be_committed(self):
        spec = self.created()
        self.host.remove(spec.name)
        with pytest.raises(errors.ContainerFailed):
            self.commit(spec)
        assert self.backups() == {}

    def test_backups_of_another_broker_are_not_listed(self):
        """S8."""
        spec, ours = self.started(), self.broker_id
        self.broker_id = f"{ours}-other"
        self.commit(spec)
        self.broker_id = ours
        assert self.backups() == {}

    def test_removing_an_image_again_is_fine(self):
        """F36."""
        reference = self.commit(self.started())
        for _ in range(2):
            self.host.remove_image(reference)
            assert self.host.images.find(reference) is None
        assert self.backups() == {}

    def test_an_image_in_use_is_not_removed(self):
        reference = self.commit(self.started())
        self.created(image=reference)
        with pytest.raises(errors.HostRefused):
            self.host.remove_image(reference)
        assert self.backups() == {reference: self.backup_id}

    def test_resume_ends_a_pause(self):
        spec = self.started()
        self.pause(spec)
        assert self.find(spec).state == "paused"
        for _ in range(2):
            self.host.resume(spec.name)
            assert self.find(spec).is_running

    def test_resuming_what_is_stopped_or_gone_is_fine(self):
        spec = self.created()
        self.host.resume(spec.name)
        assert self.find(spec).state == "created"
        self.host.remove(spec.name)
        self.host.resume(spec.name)

    def test_mounts_are_named(self):
        """F85, F86: what a commit would leave out."""
        assert self.find(self.created()).mounts == ()
        for kind in ("volume", "tmpfs"):
            assert self.find(self.mounted(kind, DATA)).mounts == (DATA,)

    def test_a_container_without_a_port_is_reached_by_nobody(self):
        """S18: a proof's."""
        spec = self.created(publish_port=None, restarts=False)
        self.host.create(spec)
        self.host.start(spec.name)
        assert self.networks(spec) == []
        assert not self.restarts(spec)

    def test_many_have_no_port_at_once(self):
        for _ in range(2):
            assert self.find(self.started(publish_port=None)).is_running

    def test_a_dead_host_is_unreachable_for_a_backup_too(self):
        """F32."""
        host, spec = self.unreachable_host(), self.created()
        calls = [
            lambda: host.commit(spec.name, self.reference, labels={}),
            lambda: host.resume(spec.name),
            lambda: host.remove_image(self.reference),
            lambda: host.list_backups(broker_id=self.broker_id),
        ]
        for call in calls:
            with pytest.raises(errors.HostUnreachable):
                call()
