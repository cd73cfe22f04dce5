"""Moves from the console: it says where to, why, how long and who must bind anew."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from instances.admin.html import change_url
from instances.models import (
    AuditEvent,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class MoveTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123", bindings=2)
        self.other = rows.make_host("beta", database_host="10.0.0.6")
        self.url = reverse(
            "admin:instances_serviceinstance_move", args=[self.instance.pk]
        )

    def post(self, typed="abc123", **data):
        data = {"confirmation": typed, "is_safe": "on", **data}
        return self.client.post(self.url, data, follow=True)

    def shown(self):
        return " ".join(self.text_of(self.url).split())


class Button(MoveTestCase):
    def test_is_there_on_a_ready_one_only(self):
        for state in ServiceInstance.State:
            ServiceInstance.objects.update(state=state)
            text = self.text_of(change_url(self.instance))
            assert (self.url in text) == (state == "ready"), state

    def test_staff_without_the_right(self):
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.user_permissions.set(
            Permission.objects.exclude(codename="move_serviceinstance")
        )
        self.client.force_login(viewer)
        assert self.url not in self.text_of(change_url(self.instance))
        assert self.post().status_code == 403
        assert not Operation.objects.filter(kind="move").exists()


class Page(MoveTestCase):
    def test_says_where_it_can_go_and_why_not_elsewhere(self):
        rows.make_host("gamma", state="cordoned")
        text = self.shown()
        assert "<strong>beta</strong>: 100000 of 100000 MiB free" in text
        assert "<strong>gamma</strong>: no, Cordoned" in text
        assert "<strong>alpha</strong>: no, it is there already" in text
        assert "the best host: beta by now" in text

    def test_says_how_long_by_size_and_by_the_last_one(self):
        Container.objects.update(disk_bytes=500_000_000)
        assert "about 12.0 s" in self.shown()
        end = timezone.now()
        at = (end - timezone.timedelta(seconds=7)).isoformat()
        rows.make_operation(
            self.instance,
            "move",
            steps=[{"at": at, "text": "stopping the database"}],
            request={"host": None},
            finished_at=end,
        )
        assert "7.0 s at the last move" in self.shown()

    def test_lists_the_apps_to_bind_anew(self):
        text = self.shown()
        for number in range(2):
            assert f"app <bdi>app-of-binding-{number}</bdi>" in text

    def test_says_if_the_address_can_stay(self):
        assert "the same address" not in self.shown()
        self.other.database_host = self.instance.container.host.database_host
        self.other.save()
        assert "the same address" in self.shown()

    def test_without_any_place_there_is_no_button(self):
        self.other.delete()
        assert "no host can take it" in self.shown()


class Posting(MoveTestCase):
    def test_records_it_with_a_backup(self):
        self.post(host=str(self.other.pk))
        operation = Operation.objects.get(kind="move")
        assert operation.request == {"host": self.other.pk, "drain": False}
        assert operation.backups.get().trigger == "move"
        assert AuditEvent.objects.filter(action="move").get().actor_name == "olga"
        page = self.text_of(change_url(operation))
        assert "to beta" in page

    def test_to_the_best_host_without_a_backup(self):
        self.client.post(self.url, {"confirmation": "abc123", "host": ""})
        operation = Operation.objects.get(kind="move")
        assert operation.request["host"] is None and not operation.backups.exists()
        assert "to the best host" in self.text_of(change_url(operation))

    def test_wrong_words_and_hosts_record_nothing(self):
        for data in ({"typed": "abc"}, {"host": "999"}, {"host": "x"}):
            response = self.post(**data)
            assert "errorlist" in response.content.decode(), data
        assert not Operation.objects.filter(kind="move").exists()

    def test_what_is_refused_is_said(self):
        self.post()
        text = self.post().content.decode()
        assert "is in progress" in text


class Stale(MoveTestCase):
    def setUp(self):
        super().setUp()
        ServiceBinding.objects.update(stale_since=timezone.now())
        self.settle_url = reverse(
            "admin:instances_serviceinstance_bindings_renewed", args=[self.instance.pk]
        )

    def page(self):
        return self.text_of(change_url(self.instance))

    def test_the_page_lists_them_until_they_are_replaced(self):
        text = self.page()
        assert "Apps to bind anew" in text and "10.0.0.5:20000" in text
        ServiceBinding.objects.filter(guid="binding-0").update(state="gone")
        first = ServiceBinding.objects.get(guid="binding-1")
        rows.make_binding(self.instance, "newer")
        assert ServiceBinding.objects.stale().get() == first
        ServiceBinding.objects.filter(guid="newer").update(app_guid=first.app_guid)
        assert "Apps to bind anew" not in self.page()

    def test_a_binding_that_succeeds_another_replaces_it(self):
        first = ServiceBinding.objects.get(guid="binding-0")
        rows.make_binding(self.instance, "newer", predecessor=first)
        assert first not in ServiceBinding.objects.stale()

    def test_keys_without_an_app_do_not_replace_each_other(self):
        ServiceBinding.objects.update(app_guid="")
        rows.make_binding(self.instance, "newer")
        ServiceBinding.objects.filter(guid="newer").update(app_guid="")
        assert ServiceBinding.objects.stale().count() == 2

    def test_the_operation_lists_them_too(self):
        operation = rows.make_operation(
            self.instance, Kind.MOVE, request={"host": self.other.pk}
        )
        assert "Apps to bind anew" in self.text_of(change_url(operation))

    def test_an_operator_ends_it(self):
        assert self.settle_url in self.page()
        assert "app-of-binding-0" in self.text_of(self.settle_url)
        self.client.post(self.settle_url)
        assert not ServiceBinding.objects.stale().exists()
        assert "Apps to bind anew" not in self.page()
        assert AuditEvent.objects.filter(action="bindings renewed").exists()
