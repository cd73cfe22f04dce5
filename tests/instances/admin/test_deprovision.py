"""Deprovision from the console: nothing happens before it was typed."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import AuditEvent, Operation, ServiceInstance
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

URL = reverse("admin:instances_serviceinstance_deprovision")


def deprovisions():
    return Operation.objects.filter(kind="deprovision")


class DeprovisionTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123", bindings=2)

    def post(self, *instances, typed):
        ids = [instance.pk for instance in instances]
        return self.client.post(URL, {"id": ids, "confirmation": typed}, follow=True)


class Single(DeprovisionTestCase):
    def test_button_leads_to_the_confirmation(self):
        text = self.text_of(change_url(self.instance))
        assert f'href="{URL}?id={self.instance.pk}"' in text

    def test_confirmation_lists_what_goes(self):
        text = self.text_of(URL, id=self.instance.pk)
        container = self.instance.container
        for part in (
            "instance-abc123",
            container.name,
            f"alpha, port {container.port}",
            "app-of-binding-0",
            "app-of-binding-1",
            "csrfmiddlewaretoken",
        ):
            assert part in text, part

    def test_get_changes_nothing(self):
        self.text_of(URL, id=self.instance.pk, confirmation="abc123")
        assert not deprovisions().exists()

    def test_typed_tail_records_the_wish(self):
        """F110."""
        response = self.post(self.instance, typed="abc123")
        assert response.redirect_chain[0][0] == change_url(self.instance)
        assert "is recorded" in response.content.decode()
        assert deprovisions().get().requested_by == "operator olga"
        self.instance.refresh_from_db()
        assert self.instance.state == ServiceInstance.State.DEPROVISIONING
        event = AuditEvent.objects.get(action="deprovision")
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")

    def test_wrong_tail_changes_nothing(self):
        for typed in ("", "abc124", "instance-abc123", "1"):
            response = self.post(self.instance, typed=typed)
            assert 'class="errorlist"' in response.content.decode(), typed
        assert not deprovisions().exists()

    def test_one_under_way_is_joined(self):
        """F126."""
        self.post(self.instance, typed="abc123")
        response = self.post(self.instance, typed="abc123")
        assert "is already under way" in response.content.decode()
        assert deprovisions().count() == 1

    def test_stale_page_says_that_it_is_gone(self):
        """F127."""
        ServiceInstance.objects.update(state="gone", live_key=None)
        response = self.post(self.instance, typed="abc123")
        assert "is gone already" in response.content.decode()
        assert not deprovisions().exists()

    def test_gone_one_has_no_button_and_no_confirmation(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        assert URL not in self.text_of(change_url(self.instance))
        response = self.client.get(URL, {"id": self.instance.pk}, follow=True)
        assert "is gone already" in response.content.decode()

    def test_works_although_no_key_opens_the_secrets(self):
        with rows.unreadable_secrets():
            self.post(self.instance, typed="abc123")
        assert deprovisions().count() == 1


class Bulk(DeprovisionTestCase):
    def setUp(self):
        super().setUp()
        self.other = rows.make_instance("instance-def456")

    def choose(self, *instances):
        chosen = [instance.pk for instance in instances]
        data = {"action": "deprovision_chosen", "_selected_action": chosen}
        return self.client.post(list_url(ServiceInstance), data, follow=True)

    def test_action_leads_to_the_confirmation_and_does_nothing_itself(self):
        text = self.choose(self.instance, self.other).content.decode()
        assert "how many service instances" in text
        assert "instance-abc123" in text
        assert "instance-def456" in text
        assert not deprovisions().exists()

    def test_typed_number_records_each(self):
        response = self.post(self.instance, self.other, typed="2")
        assert response.content.decode().count("is recorded") == 2
        assert deprovisions().count() == 2

    def test_tail_is_not_enough_for_several(self):
        self.post(self.instance, self.other, typed="abc123")
        assert not deprovisions().exists()

    def test_gone_one_does_not_stop_the_others(self):
        ServiceInstance.objects.filter(pk=self.other.pk).update(
            state="gone", live_key=None
        )
        text = self.post(self.instance, self.other, typed="2").content.decode()
        assert "is gone already" in text
        assert deprovisions().get().instance == self.instance

    def test_more_than_20_are_refused(self):
        many = [rows.make_instance(f"many-{number}") for number in range(21)]
        assert self.post(*many, typed="21").status_code == 404
        assert not deprovisions().exists()


class Refusals(DeprovisionTestCase):
    def test_ids_that_are_none_of_ours(self):
        unknown = "6f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e01"
        for ids in ([], ["x"], [unknown], [self.instance.pk, unknown]):
            assert self.client.get(URL, {"id": ids}).status_code == 404, ids

    def test_post_without_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        data = {"id": [self.instance.pk], "confirmation": "abc123"}
        assert client.post(URL, data).status_code == 403
        assert not deprovisions().exists()

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="deprovision_serviceinstance")
        )
        self.client.force_login(viewer)
        text = self.text_of(change_url(self.instance))
        assert URL not in text
        assert "deprovision_chosen" not in self.text_of(list_url(ServiceInstance))
        assert self.client.get(URL, {"id": self.instance.pk}).status_code == 403
        assert self.post(self.instance, typed="abc123").status_code == 403
        assert not deprovisions().exists()
