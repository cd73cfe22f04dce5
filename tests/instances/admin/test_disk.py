"""Disk space and the limit in all, as operators see and change them."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from instances.admin.html import change_url, list_url
from instances.models import AuditEvent, Broker, Container, DockerHost, ServiceInstance
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

MIB = 2**20


class DiskTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.set(disk_mb=100, disk_bytes=104 * MIB, disk_state="read_only")

    def set(self, **fields):
        now = timezone.now()
        fields = {"disk_measured_at": now, **fields}
        Container.objects.filter(pk=self.instance.container_id).update(**fields)

    def container(self):
        return Container.objects.get(pk=self.instance.container_id)

    def lift(self):
        return self.client.post(
            list_url(ServiceInstance),
            {"action": "lift_disk_limit", "_selected_action": [self.instance.pk]},
            follow=True,
        )


class Shown(DiskTestCase):
    def test_list_and_page_tell_how_full_it_is_and_why(self):
        assert "104 of 100 MiB" in self.text_of(list_url(ServiceInstance))
        assert "full: read-only" in self.text_of(list_url(ServiceInstance))
        page = self.text_of(change_url(self.instance))
        assert "apps can only read" in page
        assert "cf update-service" in page

    def test_a_warning_names_no_cure(self):
        self.set(disk_bytes=81 * MIB, disk_state="warning")
        page = self.text_of(change_url(self.instance))
        assert "More than 80 %" in page and "cf update-service" not in page

    def test_without_limit_the_size_is_told(self):
        self.set(disk_mb=None, disk_state="fine")
        assert "104 MiB" in self.text_of(change_url(self.instance))

    def test_list_is_filtered_by_it(self):
        rows.make_instance("instance-000002")
        url = list_url(ServiceInstance)
        full = self.text_of(url, container__disk_state__exact="read_only")
        assert "instance-000001" in full and "instance-000002" not in full

    def test_a_respite_is_told(self):
        self.set(respite_until=timezone.now() + timedelta(minutes=9))
        page = self.text_of(change_url(self.instance))
        assert "The limit is lifted until" in page


class Respite(DiskTestCase):
    def test_it_is_recorded_and_the_host_is_due(self):
        DockerHost.objects.update(measure_after=timezone.now())
        text = self.lift().content.decode()
        assert "is lifted for an hour" in text
        assert self.container().respite_until > timezone.now() + timedelta(minutes=58)
        assert DockerHost.objects.get().measure_after is None
        event = AuditEvent.objects.get(action="disk respite")
        assert (event.actor_name, event.instance) == ("olga", self.instance)

    def test_one_that_is_not_full_needs_none(self):
        self.set(disk_state="warning")
        assert "is not held for its disk limit" in self.lift().content.decode()
        assert self.container().respite_until is None

    def test_staff_without_the_right(self):
        clerk = get_user_model().objects.create_user("carl", is_staff=True)
        clerk.user_permissions.set(
            Permission.objects.exclude(codename="lift_disk_limit_serviceinstance")
        )
        self.client.force_login(clerk)
        self.lift()
        assert self.container().respite_until is None


class LimitInAll(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.url = change_url(Broker.this())

    def save(self, value):
        return self.client.post(self.url, {"instance_limit": value})

    def test_it_is_set_audited_and_removed(self):
        assert self.save("40").status_code == 302
        assert Broker.this().instance_limit == 40
        event = AuditEvent.objects.get()
        assert (event.actor_name, event.action) == ("olga", "edit broker")
        assert event.changes == {"instance_limit": [None, 40]}
        self.save("")
        assert Broker.this().instance_limit is None

    def test_the_id_stays_and_nothing_new_leaves_no_trace(self):
        before = Broker.this().broker_id
        self.client.post(self.url, {"instance_limit": "", "broker_id": "0" * 32})
        assert Broker.this().broker_id == before
        assert not AuditEvent.objects.exists()

    def test_bad_input_is_refused_with_the_cure(self):
        for value in ("-1", "many"):
            answer = self.save(value)
            assert "or nothing for no limit" in answer.content.decode()
        assert Broker.this().instance_limit is None

    def test_who_may_only_look_cannot_change_it(self):
        clerk = get_user_model().objects.create_user("carl", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_broker"))
        self.client.force_login(clerk)
        assert self.client.get(self.url).status_code == 200
        assert self.save("1").status_code == 403
        assert Broker.this().instance_limit is None
