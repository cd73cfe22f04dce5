"""The catalog in the console: who may change it, what is kept, what platforms get."""

import html

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import AuditEvent, ServiceInstance, ServiceOffering, ServicePlan
from instances.operations.catalog import catalog_document
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase
from tests.instances.admin.test_catalog_forms import FormTestCase

PREVIEW = reverse("admin:instances_catalog_preview")
REFRESH = "cf update-service-broker"


def delete_url(row):
    return change_url(row).replace("/change/", "/delete/")


class Changing(FormTestCase):
    def test_is_audited(self):
        self.saved(self.plan, memory_mb="512", bullets="a")
        event = AuditEvent.objects.get()
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")
        assert (event.action, event.target) == (
            "edit service plan",
            "service plan mysql-docker/free",
        )
        assert event.changes == {
            "memory_mb": [256, 512],
            "metadata": [{}, {"bullets": ["a"]}],
        }

    def test_saving_nothing_new_leaves_no_trace(self):
        self.saved(self.plan)
        self.saved(self.offering)
        assert not AuditEvent.objects.exists()

    def test_only_what_was_edited_is_written(self):
        ServicePlan.objects.update(standby=3)
        with CaptureQueriesContext(connection) as queries:
            self.saved(self.plan, memory_mb="512")
        (update,) = (
            q["sql"]
            for q in queries
            if q["sql"].startswith("UPDATE") and "plan" in q["sql"]
        )
        assert "memory_mb" in update and "standby" not in update

    def test_platforms_have_to_be_told(self):
        def hint(row, **changes):
            self.saved(row, **changes)
            return REFRESH in self.text_of(reverse("admin:index"))

        assert hint(self.plan, description="Other")
        assert hint(self.offering, tags="mysql")
        assert not hint(self.plan, memory_mb="512")
        assert not hint(self.plan)
        assert hint(self.plan, active="")

    def test_an_offering_without_an_active_plan_is_pointed_out(self):
        ServicePlan.objects.update(active=False)
        self.saved(self.offering, description="Other")
        text = self.text_of(reverse("admin:index"))
        assert "not shown to platforms until it has an active plan" in text

    def test_deactivated_entries_leave_the_catalog(self):
        self.saved(self.plan, active="")
        assert catalog_document() == {"services": []}


class Deleting(FormTestCase):
    def test_what_never_had_an_instance_goes(self):
        for row in (self.plan, self.offering):
            assert delete_url(row) in self.text_of(change_url(row))
            response = self.client.post(delete_url(row), {"post": "yes"})
            assert response.status_code == 302
        assert not ServiceOffering.objects.exists()
        actions = AuditEvent.objects.values_list("action", flat=True)
        assert list(actions) == ["delete service offering", "delete service plan"]

    def test_what_had_an_instance_stays(self):
        rows.make_instance()
        ServiceInstance.objects.update(state=ServiceInstance.State.GONE, live_key=None)
        for row in (self.plan, self.offering):
            text = self.text_of(change_url(row))
            assert delete_url(row) not in text
            assert "cannot be deleted" in text
            response = self.client.post(delete_url(row), {"post": "yes"})
            assert response.status_code == 403
        assert ServicePlan.objects.exists()

    def test_an_offering_with_plans_says_what_is_in_the_way(self):
        text = self.client.post(delete_url(self.offering), {"post": "yes"})
        assert "mysql-docker/free" in text.content.decode()
        assert ServiceOffering.objects.exists()

    def test_an_instance_that_comes_meanwhile_keeps_its_plan(self):
        original = ServicePlan.has_had_instances

        def used_right_after(plan):
            answer = original(plan)
            if not answer:
                rows.make_instance()
            return answer

        self.addCleanup(setattr, ServicePlan, "has_had_instances", original)
        ServicePlan.has_had_instances = used_right_after
        self.client.post(delete_url(self.plan), {"post": "yes"})
        assert ServicePlan.objects.exists()


class Permissions(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.plan = rows.make_plan()
        self.reader = get_user_model().objects.create_user("rita", is_staff=True)
        names = ["view_serviceoffering", "view_serviceplan"]
        permissions = Permission.objects.filter(codename__in=names)
        self.reader.user_permissions.set(permissions)
        self.client.force_login(self.reader)

    def test_other_staff_see_everything(self):
        ServicePlan.objects.update(metadata={"bullets": ["only one"]})
        for row in (self.plan, self.plan.offering):
            text = self.text_of(change_url(row))
            assert "<textarea" not in text and 'name="_save"' not in text
            assert row.pk in text
        assert "only one" in self.text_of(change_url(self.plan))
        assert "plan/1" in html.unescape(self.text_of(PREVIEW))

    def test_other_staff_change_nothing(self):
        for row in (self.plan, self.plan.offering):
            assert self.client.post(change_url(row), {"name": "x"}).status_code == 403
            assert self.client.post(delete_url(row), {"post": "y"}).status_code == 403
            add = f"{list_url(type(row))}add/"
            assert self.client.post(add, {"name": "x"}).status_code == 403
            assert "Add service" not in self.text_of(list_url(type(row)))

    def test_staff_without_the_permission_see_no_preview(self):
        self.reader.user_permissions.clear()
        assert self.client.get(PREVIEW).status_code == 403

    def test_strangers_are_sent_to_the_login(self):
        self.client.logout()
        assert self.client.get(PREVIEW).status_code == 302
