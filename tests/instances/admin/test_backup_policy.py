"""An operator's word on one instance's backups: said, agreed to, and on record."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from instances.admin.html import change_url
from instances.admin.instance_tabs import tab_url
from instances.models import (
    AuditEvent,
    Backup,
    BackupOverride,
    ServiceInstance,
    ServiceOffering,
)
from instances.models.backup_override import clock_of, limits_of
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

PLAN = {"schedule": "plan", "retention": "plan"}


class PolicyTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123")
        name = "admin:instances_serviceinstance_backup_policy"
        self.url = reverse(name, args=[self.instance.pk])

    def post(self, **data):
        response = self.client.post(self.url, {**PLAN, **data}, follow=True)
        return response.content.decode()

    def stored(self):
        return ServiceInstance.objects.select_related("backup_override").get()


class Form(PolicyTestCase):
    def test_the_instance_s_page_leads_to_it(self):
        assert self.url in self.text_of(change_url(self.instance))

    def test_it_says_what_the_plan_says(self):
        text = self.text_of(self.url)
        assert "never" in text and "the latest 7" in text

    def test_what_is_typed_holds(self):
        text = self.post(schedule="own", cron="30 2 * * *", retention="own", keep="3")
        assert "is stored" in text
        assert "At 02:30 every day UTC (30 2 * * *), by an operator" in text
        assert "the latest 3, by an operator" in text
        assert clock_of(self.stored()).cron == "30 2 * * *"
        assert str(limits_of(self.stored())) == "the latest 3"

    def test_it_is_on_record(self):
        self.post(schedule="none")
        event = AuditEvent.objects.get(action="edit backup policy")
        assert (event.actor_name, event.instance) == ("olga", self.instance)
        assert event.changes == {"schedule": ["plan", "none"]}
        self.post(schedule="none")
        assert AuditEvent.objects.filter(action="edit backup policy").count() == 1

    def test_back_to_the_plan_leaves_no_row(self):
        self.post(schedule="none")
        self.post()
        assert not BackupOverride.objects.exists()
        assert AuditEvent.objects.filter(action="edit backup policy").count() == 2

    def test_nonsense_is_refused_with_its_cure(self):
        for data, sentence in (
            ({"schedule": "own"}, "Give the hours or a cron expression."),
            ({"schedule": "none", "interval_h": "6"}, "Remove it, or choose"),
            ({"schedule": "own", "cron": "* * * * *"}, "more than once an hour"),
            (
                {"schedule": "own", "cron": "0 2 * * *", "interval_h": "6"},
                "Give either this or the hours, not both.",
            ),
            ({"keep": "3"}, "or remove the limits"),
            ({"retention": "own", "keep": "0"}, "greater than or equal to 1"),
        ):
            assert sentence in self.post(**data), data
        assert not BackupOverride.objects.exists()

    def test_one_that_is_gone_has_none(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        assert self.client.get(self.url).status_code == 404

    def test_where_no_backup_could_be_proved_there_is_none(self):
        ServiceOffering.objects.update(engine="generic")
        assert self.client.get(self.url).status_code == 404
        assert self.url not in self.text_of(change_url(self.instance))

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="set_backup_policy_serviceinstance")
        )
        self.client.force_login(viewer)
        assert self.client.get(self.url).status_code == 403
        assert self.client.post(self.url, PLAN).status_code == 403


class Agreement(PolicyTestCase):
    """Nothing is let go by a number that was typed too low."""

    def setUp(self):
        super().setUp()
        for hours in range(1, 5):
            at = timezone.now() - timedelta(hours=hours)
            rows.make_backup(self.instance, created_at=at, taken_at=at)

    def test_what_would_go_is_shown_first(self):
        text = self.post(retention="own", keep="1")
        oldest = Backup.objects.order_by("created_at").first()
        assert "3 of them go" in text
        assert f"{oldest.taken_at:%Y-%m-%d %H:%M}" in text
        assert not BackupOverride.objects.exists()

    def test_and_then_agreed_to(self):
        self.post(retention="own", keep="1", is_agreed="on")
        assert BackupOverride.objects.get().keep == 1
        text = " ".join(self.text_of(tab_url(self.instance, "backups")).split())
        assert "<dt>These go at the next pass</dt> <dd> 3: " in text

    def test_what_takes_nothing_needs_no_tick(self):
        self.post(retention="own", keep="9")
        assert BackupOverride.objects.get().keep == 9
