"""The final backup: taken before a deprovision, unless the operator says no."""

from django.urls import reverse

from instances.models import Backup, ServiceOffering, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

URL = reverse("admin:instances_serviceinstance_deprovision")


class FinalBackup(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123")

    def shown(self, *others):
        ids = [self.instance.pk, *(other.pk for other in others)]
        return " ".join(self.text_of(URL, id=ids).split())

    def post(self, **data):
        data = {"id": [self.instance.pk], "confirmation": "abc123", **data}
        self.client.post(URL, data)

    def test_is_ticked_and_says_how_long_it_stays(self):
        ServicePlan.objects.update(final_backup_days=9)
        assert "Take a final backup, kept 9 days" in self.shown()
        assert 'name="with_backup" id="id_with_backup" checked' in self.shown()

    def test_of_several_says_so(self):
        other = rows.make_instance("instance-def456")
        assert "Take a final backup of each, kept 7 days" in self.shown(other)

    def test_with_the_tick_it_is_recorded(self):
        self.post(with_backup="on")
        backup = Backup.objects.get()
        assert backup.trigger == "deprovision"
        assert backup.expires_at is not None

    def test_without_the_tick_it_is_not(self):
        self.post()
        assert self.instance.operations.filter(kind="deprovision").exists()
        assert not Backup.objects.exists()

    def test_where_the_plan_keeps_none_nothing_is_offered(self):
        ServicePlan.objects.update(final_backup_days=0)
        assert "with_backup" not in self.shown()

    def test_where_nothing_could_be_proved_nothing_is_offered(self):
        ServiceOffering.objects.update(engine="generic")
        assert "with_backup" not in self.shown()
        self.post()
        assert not Backup.objects.exists()
