"""A new service instance of a backup, made by an operator."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, Backup, ServiceInstance, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class CloneTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance(
            "instance-abc123",
            instance_name="shop",
            organization_guid="org-1",
            space_guid="space-1",
        )
        ServicePlan.objects.update(memory_mb=256)
        self.backup = rows.make_backup(self.instance)
        self.url = reverse("admin:instances_backup_clone", args=[self.backup.pk])

    def post(self, **data):
        given = {
            "name": "shop-2",
            "guid": "guid-2",
            "plan": self.backup.plan_id,
            "organization_guid": "org-1",
            "space_guid": "space-1",
        }
        response = self.client.post(self.url, {**given, **data}, follow=True)
        return " ".join(response.content.decode().split())

    def made(self):
        return ServiceInstance.objects.exclude(pk=self.instance.pk)


class Form(CloneTestCase):
    def test_says_what_will_be_made_and_what_the_platform_knows(self):
        text = " ".join(self.text_of(self.url).split())
        for part in (
            "3.0 MiB are copied",
            "The platform does not know of it",
            "cf create-service mysql-docker free shop-restored",
            'value="shop-restored"',
            'value="org-1"',
            'value="space-1"',
        ):
            assert part in text, part

    def test_offers_plans_that_it_fits(self):
        plan = ServicePlan.objects.get()
        plan.pk, plan.name, plan.memory_mb = "plan/2", "tiny", 100
        plan.save(force_insert=True)
        text = self.text_of(self.url)
        assert "mysql-docker/free" in text and "mysql-docker/tiny" not in text

    def test_only_of_a_verified_one(self):
        Backup.objects.update(state="committed")
        response = self.client.get(self.url, follow=True)
        assert response.redirect_chain[0][0] == change_url(self.backup)
        assert "Only a verified backup" in response.content.decode()

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(Permission.objects.exclude(codename="clone_backup"))
        self.client.force_login(viewer)
        assert self.client.get(self.url).status_code == 403
        assert self.client.post(self.url, {}).status_code == 403


class Post(CloneTestCase):
    def test_the_wish_is_recorded_and_on_record(self):
        assert "is recorded" in self.post()
        made = self.made().get()
        assert (made.guid, str(made), made.restored_from) == (
            "guid-2",
            "shop-2",
            self.backup,
        )
        assert (made.organization_guid, made.space_guid) == ("org-1", "space-1")
        assert made.operations.get().requested_by == "operator olga"
        event = AuditEvent.objects.get(action="clone")
        assert (event.actor_name, event.changes["of"]) == ("olga", "instance-abc123")

    def test_undelete(self):
        """The final backup of one that is gone, under its old name."""
        ServiceInstance.objects.update(state="gone", live_key=None)
        assert "is recorded" in self.post(name="shop", guid="instance-abc123")
        assert self.made().get().restored_from == self.backup

    def test_another_space_has_to_be_allowed(self):
        """F100."""
        for other in ({"space_guid": "space-2"}, {"organization_guid": "org-2"}):
            assert "tick this, too" in self.post(**other)
        assert not self.made().exists()
        assert "is recorded" in self.post(space_guid="space-2", is_allowed="on")
        assert self.made().get().space_guid == "space-2"

    def test_a_guid_that_is_taken_is_refused(self):
        text = self.post(guid="instance-abc123")
        assert "A service instance has this GUID" in text
        assert not self.made().exists()

    def test_no_room_is_told_of_on_the_form(self):
        self.instance.container.host.memory_mb = 300
        self.instance.container.host.save()
        assert "There is no room for another service instance" in self.post()
        assert not self.made().exists()
