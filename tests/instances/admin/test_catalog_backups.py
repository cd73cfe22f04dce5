"""What plans say about backups: in the form, in files, and what is refused."""

from pathlib import Path
from tempfile import TemporaryDirectory

from instances import errors
from instances.admin.catalog_backups import FIELDS
from instances.admin.html import change_url
from instances.models import WORKER, ServiceOffering, ServicePlan
from instances.models.backup_policy import BackupPolicy
from instances.operations import plan_settings
from instances.operations.catalog import complaints
from instances.operations.catalog_files import dump_catalog, load_catalog
from tests.instances.admin.test_catalog_forms import FormTestCase

CHANGES = {
    "backup_method": "hot",
    "backup_interval_h": "24",
    "backup_keep": "",
    "backup_keep_days": "30",
    "final_backup_days": "0",
    "backup_on_bind": "on",
}


class PolicyFields(FormTestCase):
    def test_each_has_a_place_in_the_form(self):
        assert set(FIELDS) == {field.name for field in BackupPolicy._meta.fields}
        text = self.text_of(change_url(self.plan))
        for name in FIELDS:
            assert f'name="{name}"' in text, name

    def test_what_is_typed_is_stored(self):
        self.saved(self.plan, **CHANGES)
        plan = ServicePlan.objects.get()
        stored = [getattr(plan, name) for name in FIELDS]
        expected = ["hot", 24, "", None, 30, None, 0, True, False, True, True]
        assert stored == expected

    def test_what_was_not_typed_stays(self):
        before = ServicePlan.objects.values(*FIELDS).get()
        self.saved(self.plan, description="Other")
        assert ServicePlan.objects.values(*FIELDS).get() == before

    def test_nonsense_is_refused(self):
        for name, value in (
            ("backup_method", "cold"),
            ("backup_method", ""),
            ("backup_interval_h", "0"),
            ("backup_interval_h", "745"),
            ("backup_cron", "30 2 * *"),
            ("backup_cron", "30 2 31 2 *"),
            ("backup_cron", "*/30 * * * *"),
            ("backup_cron", "0 30 2 * * *"),
            ("backup_keep_gib", "0"),
            ("backup_keep", "0"),
            ("backup_keep_days", "0"),
            ("final_backup_days", "3651"),
            ("final_backup_days", ""),
        ):
            text = self.save(self.plan, **{name: value}).content.decode()
            assert 'class="errorlist"' in text, (name, value)

    def test_files_say_them_too(self):
        text = dump_catalog()
        for name in FIELDS:
            assert f"{name}: " in text, name
        with TemporaryDirectory() as folder:
            path = Path(folder) / "catalog.yml"
            text = text.replace("backup_method: auto", "backup_method: hot")
            path.write_text(text.replace("backup_keep: 7", "backup_keep: 3"))
            load_catalog(path, actor=WORKER)
            plan = ServicePlan.objects.get()
            assert (plan.backup_keep, plan.backup_method) == (3, "hot")
            path.write_text(text.replace("backup_method: hot", "backup_method: cold"))
            with self.assertRaisesMessage(errors.InvalidRequest, "paused or hot"):
                load_catalog(path, actor=WORKER)


class WithoutProof(FormTestCase):
    """An engine whose data nobody knows has no backups."""

    def setUp(self):
        super().setUp()
        ServiceOffering.objects.update(engine="generic")
        ServicePlan.objects.update(backup_interval_h=24)

    def test_a_clock_is_complained_of(self):
        assert any("no backup could be proved" in str(one) for one in complaints())

    def test_and_refused_in_a_file(self):
        plan = ServicePlan.objects.select_related("offering").get()
        plan.backup_method = "hot"
        with self.assertRaisesMessage(errors.InvalidRequest, "no hot method"):
            plan_settings.check(plan)
        with self.assertRaisesMessage(errors.InvalidRequest, "backup_interval_h"):
            plan_settings.check(plan)
