"""Upgrades from the console: what is behind its plan is brought up to date."""

from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from instances import errors
from instances.admin.html import change_url, list_url
from instances.models import AuditEvent, Container, Operation, ServiceInstance
from instances.operations import update
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

URL = reverse("admin:instances_serviceinstance_upgrade")
NEW = "brokersite/mariadb:10.12"


def upgrades():
    return Operation.objects.filter(kind="update")


class UpgradeTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.plan = rows.make_plan()
        self.set_plan(image="brokersite/mariadb:10.11.2")
        self.instance = rows.make_instance("instance-abc123", bindings=2)

    def set_plan(self, **fields):
        type(self.plan).objects.update(**fields)

    def post(self, *instances):
        ids = [instance.pk for instance in instances]
        return self.client.post(URL, {"id": ids}, follow=True)


class Button(UpgradeTestCase):
    def test_is_there_while_the_instance_is_behind(self):
        assert URL not in self.text_of(change_url(self.instance))
        self.set_plan(memory_mb=512)
        link = f'href="{URL}?id={self.instance.pk}"'
        assert link in self.text_of(change_url(self.instance))

    def test_what_is_not_ready_has_none(self):
        self.set_plan(memory_mb=512)
        for state in ("gone", "failed", "provisioning", "deprovisioning"):
            ServiceInstance.objects.update(state=state)
            assert URL not in self.text_of(change_url(self.instance)), state

    def test_staff_without_the_right(self):
        self.set_plan(memory_mb=512)
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="upgrade_serviceinstance")
        )
        self.client.force_login(viewer)
        assert URL not in self.text_of(change_url(self.instance))
        assert "upgrade_chosen" not in self.text_of(list_url(ServiceInstance))
        assert self.client.get(URL, {"id": self.instance.pk}).status_code == 403
        assert self.post(self.instance).status_code == 403
        assert not upgrades().exists()


class Confirmation(UpgradeTestCase):
    def shown(self):
        return " ".join(self.text_of(URL, id=self.instance.pk).split())

    def test_says_in_numbers_what_will_change(self):
        self.set_plan(
            image=NEW, memory_mb=512, cpus=2, pids=300, maintenance_version="2.0.0"
        )
        text = self.shown()
        for part in (
            f"brokersite/mariadb:10.11.2 → <strong>{NEW}</strong>",
            "256 → <strong>512</strong>",
            "1.00 → <strong>2.00</strong>",
            "200 → <strong>300</strong>",
            "none → <strong>2.0.0</strong>",
            "csrfmiddlewaretoken",
        ):
            assert part in text, part

    def test_another_image_is_said_to_stop_the_database(self):
        self.set_plan(image=NEW)
        text = self.shown()
        assert "is down, while its data is copied" in text
        assert "the database runs on" not in text

    def test_other_limits_are_said_not_to(self):
        self.set_plan(memory_mb=512)
        text = self.shown()
        assert "the database runs on" in text
        assert "down" not in text.partition('class="lead"')[2]

    def test_get_changes_nothing(self):
        self.set_plan(memory_mb=512)
        self.shown()
        assert not upgrades().exists()


class Single(UpgradeTestCase):
    def setUp(self):
        super().setUp()
        self.set_plan(image=NEW, maintenance_version="2.0.0")

    def test_post_records_the_wish(self):
        response = self.post(self.instance)
        assert response.redirect_chain[0][0] == change_url(self.instance)
        assert "is recorded" in response.content.decode()
        operation = upgrades().get()
        assert operation.requested_by == "operator olga"
        assert operation.request["as_planned"] is True
        assert operation.owner == ""
        event = AuditEvent.objects.get(action="update")
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")

    def test_a_second_click_is_the_same_upgrade(self):
        self.post(self.instance)
        self.post(self.instance)
        assert upgrades().count() == 1

    def test_one_that_something_else_holds_is_told_of(self):
        with patch.object(update, "accept", side_effect=errors.ConcurrencyError):
            text = self.post(self.instance).content.decode()
        assert "Another operation for this Service Instance is in progress." in text

    def test_one_that_is_up_to_date_by_now_is_told_of(self):
        self.set_plan(image="brokersite/mariadb:10.11.2", maintenance_version="")
        assert "is not behind its plan" in self.post(self.instance).content.decode()
        assert not upgrades().exists()

    def test_works_although_no_key_opens_the_bindings(self):
        with rows.unreadable_secrets():
            self.text_of(URL, id=self.instance.pk)


class Bulk(UpgradeTestCase):
    def setUp(self):
        super().setUp()
        self.set_plan(memory_mb=512)
        self.other = rows.make_instance("instance-def456")

    def choose(self, *instances):
        chosen = [instance.pk for instance in instances]
        data = {"action": "upgrade_chosen", "_selected_action": chosen}
        return self.client.post(list_url(ServiceInstance), data, follow=True)

    def test_action_leads_to_the_confirmation_and_does_nothing_itself(self):
        text = self.choose(self.instance, self.other).content.decode()
        assert "instance-abc123" in text and "instance-def456" in text
        assert not upgrades().exists()

    def test_post_records_each(self):
        text = self.post(self.instance, self.other).content.decode()
        assert text.count("is recorded") == 2
        assert upgrades().count() == 2

    def test_those_that_are_not_behind_are_left_out(self):
        Container.objects.filter(instance=self.other).update(memory_mb=512)
        text = self.text_of(URL, id=[self.instance.pk, self.other.pk])
        assert "is not behind its plan" in text
        assert f'name="id" value="{self.instance.pk}"' in text
        assert f'name="id" value="{self.other.pk}"' not in text
        self.post(self.instance, self.other)
        assert upgrades().get().instance == self.instance

    def test_where_none_is_behind_it_leads_back(self):
        Container.objects.update(memory_mb=512)
        chosen = {"id": [self.instance.pk, self.other.pk]}
        response = self.client.get(URL, chosen, follow=True)
        assert response.redirect_chain[-1][0] == list_url(ServiceInstance)


class Traces(UpgradeTestCase):
    """What an upgrade leaves on the pages of containers and operations."""

    def test_both_containers_lead_to_each_other(self):
        former = self.instance.container
        successor = Container.objects.create(
            **{name: getattr(former, name) for name in ("host", "engine", "image")},
            **{name: getattr(former, name) for name in ("memory_mb", "cpus", "pids")},
            succeeds=former,
        )
        with rows.unreadable_secrets():
            assert change_url(successor) in self.text_of(change_url(former))
            assert change_url(former) in self.text_of(change_url(successor))

    def test_a_kept_one_is_explained(self):
        url = change_url(self.instance.container)
        assert "until its successor" not in self.text_of(url)
        Container.objects.update(state=Container.State.KEPT)
        assert "until its successor" in self.text_of(url)

    def test_the_operation_says_what_is_wanted(self):
        self.set_plan(image=NEW)
        self.post(self.instance)
        text = self.text_of(change_url(upgrades().get()))
        assert "plan: mysql-docker/free, as before" in text
        assert "image and limits: as the plan says by now" in text
