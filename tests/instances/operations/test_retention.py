"""Which backups go, and which stay whatever the clock says."""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from instances.containers import BACKUP_LABEL
from instances.models import (
    Backup,
    BackupOverride,
    Container,
    Operation,
    ServiceInstance,
)
from instances.operations import restore
from instances.operations.proof import prove_next
from instances.operations.retention import expired, going_soon, sweep
from tests.fakes import drain
from tests.instances.backups import BackupTestCase
from tests.instances.base import ACTOR


class RetentionTest(BackupTestCase):
    def several(self, number: int, *, instance: ServiceInstance) -> list[Backup]:
        return [self.verified(instance) for _ in range(number)]

    def policy(self, **fields: object) -> None:
        type(self.plan).objects.filter(pk=self.plan.pk).update(**fields)

    def test_more_than_the_plan_keeps_go_the_oldest_first(self):
        self.policy(backup_keep=2)
        instance = self.filled()
        first, *kept = self.several(3, instance=instance)
        sweep()
        assert self.images() == {row.reference for row in kept}
        first.refresh_from_db()
        assert first.state == "gone" and first.gone_at

    def test_the_last_verified_one_never_goes(self):
        """F96, F129: whatever the clock says."""
        self.policy(backup_keep=1, backup_keep_days=1)
        instance = self.filled()
        self.several(2, instance=instance)
        Backup.objects.update(created_at=timezone.now() - timedelta(days=900))
        assert len(expired(ServiceInstance.objects.get(pk=instance.pk))) == 1
        for _ in range(3):
            sweep()
        assert len(self.images()) == 1

    def test_one_that_was_not_proved_does_not_count(self):
        self.policy(backup_keep=1)
        instance = self.filled()
        good = self.verified(instance)
        self.backed_up(instance)
        sweep()
        assert good.reference in self.images()

    def test_a_clock_that_is_a_year_ahead_empties_nothing_at_once(self):
        """F129."""
        self.policy(backup_keep=None, backup_keep_days=30)
        instance = self.filled()
        self.several(7, instance=instance)
        Backup.objects.update(created_at=timezone.now() - timedelta(days=400))
        sweep()
        assert len(self.images()) == 2

    def test_those_go_that_are_too_large_together(self):
        self.policy(backup_keep=None, backup_keep_gib=3)
        instance = self.filled()
        rows = self.several(4, instance=instance)
        Backup.objects.update(delta_bytes=2**30)
        sweep()
        assert self.images() == {row.reference for row in rows[1:]}

    def test_a_last_one_that_is_too_large_stays(self):
        """F96."""
        self.policy(backup_keep=None, backup_keep_gib=1)
        instance = self.filled()
        _, last = self.several(2, instance=instance)
        Backup.objects.update(delta_bytes=5 * 2**30)
        for _ in range(2):
            sweep()
        assert self.images() == {last.reference}

    def test_an_operator_s_limits_go_before_the_plan_s(self):
        self.policy(backup_keep=1)
        instance, other = self.filled(), self.provisioned("i-2")
        self.several(3, instance=instance)
        self.several(3, instance=other)
        BackupOverride.objects.create(instance=instance, retention="own", keep=2)
        sweep()
        assert instance.backups.usable().count() == 2
        assert other.backups.usable().count() == 1

    def test_no_limit_of_an_operator_s_takes_the_last_one(self):
        """F96: an override cannot weaken what is never removed."""
        instance = self.filled()
        (row,) = self.several(1, instance=instance)
        BackupOverride.objects.create(
            instance=instance, retention="own", keep=1, keep_days=1, keep_gib=1
        )
        Backup.objects.update(
            created_at=timezone.now() - timedelta(days=900), delta_bytes=2**40
        )
        sweep()
        assert self.images() == {row.reference}

    def test_what_goes_tonight_counts_what_comes_tonight(self):
        self.policy(backup_keep=3, backup_interval_h=12)
        instance = self.filled()
        first, second, _ = self.several(3, instance=instance)
        assert not going_soon()
        ((whose, rows),) = going_soon(within=timedelta(hours=25))
        assert (whose, rows) == (instance, [first, second])
        sweep()
        assert len(self.images()) == 3, "a preview removes nothing"

    def test_one_that_is_to_be_restored_stays(self):
        """F96: from the wish on."""
        self.policy(backup_keep=1)
        instance = self.filled()
        old, _ = self.several(2, instance=instance)
        restore.accept(old, actor=ACTOR, is_safe=False)
        sweep()
        assert old.reference in self.images()
        drain()
        sweep()
        assert old.reference not in self.images()

    def test_one_that_another_instance_begins_with_stays(self):
        """F96."""
        self.policy(backup_keep=1)
        old, _ = self.several(2, instance=self.filled())
        wish = {"restore_from": {"backup": str(old.pk)}}
        self.accept_provision("i-2", parameters=wish)
        sweep()
        assert old.reference in self.images()

    def test_one_in_use_stays(self):
        """F96."""
        self.policy(backup_keep=1)
        instance = self.filled()
        old, _ = self.several(2, instance=instance)
        Container.objects.filter(pk=instance.container_id).update(image=old.reference)
        sweep()
        assert old.reference in self.images()


class ImagesTest(BackupTestCase):
    def test_an_image_that_somebody_has_removed_is_missing(self):
        """F94: and what has come back is proved again."""
        backup = self.verified(self.filled())
        image = self.world.machine.backups.pop(backup.reference)
        sweep()
        backup.refresh_from_db()
        assert (backup.state, bool(backup.problem)) == ("missing", True)
        self.world.machine.backups[backup.reference] = image
        sweep()
        backup.refresh_from_db()
        assert backup.state == "committed"
        assert prove_next()
        backup.refresh_from_db()
        assert backup.state == "verified"


class StrayImageTest(BackupTestCase):
    """What a commit leaves whose answer came too late (F89)."""

    def setUp(self) -> None:
        super().setUp()
        self.backup = self.verified(self.filled())
        self.image = self.world.machine.backups[self.backup.reference]

    def appear(self, reference: str, **labels: str) -> None:
        labels = {**self.image.labels, **labels}
        self.world.machine.backups[reference] = replace(self.image, labels=labels)

    def test_an_image_that_comes_after_its_backup_has_failed_goes(self):
        Backup.objects.update(state="failed")
        sweep()
        assert self.images() == set()
        self.appear(self.backup.reference)
        sweep()
        assert self.images() == set()

    def test_of_two_commits_of_one_backup_the_tagged_one_stays(self):
        self.appear("sha256:0123")
        Backup.objects.update(state="taking")
        Operation.objects.update(state="running")
        sweep()
        assert "sha256:0123" in self.images(), "it may get its tag yet"
        Operation.objects.update(state="succeeded")
        Backup.objects.update(state="verified")
        sweep()
        assert self.images() == {self.backup.reference}

    def test_an_image_without_a_row_stays(self):
        """F120: the rows may be those of yesterday."""
        for label in ("0" * 32, "no id"):
            self.appear(label, **{BACKUP_LABEL: label})
        sweep()
        assert len(self.images()) == 3

    def test_a_host_that_is_down_keeps_no_schedule_waiting(self):
        self.world.machine.is_down = True
        sweep()
        assert len(self.images()) == 1
