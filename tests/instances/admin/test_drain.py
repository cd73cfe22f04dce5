"""Drain and remove from the console: what would happen, what happens, what is left."""

from django.forms import model_to_dict
from django.urls import reverse
from django.utils import timezone

from instances.admin.docker_host import DockerHostForm
from instances.admin.html import change_url
from instances.models import AuditEvent, DockerHost, Operation, ServiceInstance
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class DrainTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.host = rows.make_host("alpha")
        self.instance = rows.make_instance("instance-abc123", bindings=2)
        self.other = rows.make_host("beta", database_host="10.0.0.6")
        names = ("drain", "cancel_drain", "remove")
        self.drain_url, self.cancel_url, self.remove_url = (
            reverse(f"admin:instances_dockerhost_{name}", args=[self.host.pk])
            for name in names
        )

    def shown(self, url):
        return " ".join(self.text_of(url).split())

    def drain(self, **data):
        data = {"confirmation": "alpha", "at_once": 3, **data}
        return self.client.post(self.drain_url, data, follow=True)

    def state(self):
        return DockerHost.with_removed.get(pk=self.host.pk).state


class Preview(DrainTestCase):
    def test_says_what_goes_where_and_how_many_bind_anew(self):
        rows.make_backup(self.instance)
        text = self.shown(self.drain_url)
        assert "<strong>1</strong> service instance," in text
        assert "belong there then: 1 (3.0 MiB)" in text
        assert "100000 of 100000 MiB free" in text and ">beta<" in text
        assert "<td>2</td>" in text

    def test_says_what_stays_and_why(self):
        DockerHost.objects.filter(pk=self.other.pk).update(memory_mb=1)
        rows.make_instance("instance-failed").move("failed", only_from=("ready",))
        text = self.shown(self.drain_url)
        assert "2 stay" in text
        assert "beta: 1 of 1 MiB free" in text
        assert "no database to move" in text

    def test_two_that_only_fit_alone(self):
        rows.make_instance("instance-two", host=self.host)
        DockerHost.objects.filter(pk=self.other.pk).update(memory_mb=256)
        text = self.shown(self.drain_url)
        assert "1 stay" in text and "beta: 0 of 256 MiB free" in text

    def test_the_page_of_the_host_leads_here(self):
        text = self.text_of(change_url(self.host))
        assert self.drain_url in text and self.remove_url not in text
        DockerHost.objects.filter(pk=self.host.pk).update(state="cordoned")
        assert self.remove_url in self.text_of(change_url(self.host))


class Draining(DrainTestCase):
    def test_begins_with_the_name_typed(self):
        for data in (
            {"confirmation": "beta"},
            {"at_once": 0},
            {"at_once": 11},
            {"at_once": "x"},
        ):
            assert "errorlist" in self.drain(**data).content.decode(), data
            assert self.state() == "active"
        text = self.drain(is_safe="on").content.decode()
        assert self.state() == "draining"
        assert "operator olga" in text and "at most 3 at once" in text
        event = AuditEvent.objects.get(action="drain host")
        assert event.changes == {"at_once": 3, "safe": True}
        assert not Operation.objects.filter(kind="move").exists(), "workers do it"

    def test_shows_what_is_left_and_the_moves(self):
        self.drain()
        text = self.shown(self.drain_url)
        assert "waits for its turn" in text and "None was recorded yet." in text
        rows.make_operation(
            self.instance,
            "move",
            state="failed",
            detail="exit code 1",
            requested_by="worker drain of alpha",
        )
        text = self.shown(self.drain_url)
        assert "tried again: exit code 1" in text

    def test_is_done_when_nothing_is_left(self):
        self.drain()
        ServiceInstance.objects.update(container=None)
        self.host.containers.update(state="gone")
        assert "Nothing of this broker is on the host" in self.shown(self.drain_url)

    def test_can_be_ended(self):
        self.drain()
        self.client.post(self.cancel_url, {"state": "removed"})
        assert self.state() == "draining"
        self.client.post(self.cancel_url, {"state": "cordoned"})
        assert self.state() == "cordoned"

    def test_the_form_of_the_host_leaves_the_state_alone(self):
        self.drain()
        page = change_url(self.host)
        assert "end that on its page" in self.text_of(page)
        fields = model_to_dict(self.host, fields=DockerHostForm.Meta.fields)
        response = self.client.post(page, {**fields, "state": "active"})
        assert response.status_code == 302 and self.state() == "draining"
        DockerHost.objects.update(state="active")
        response = self.client.post(page, {**fields, "state": "removed"})
        assert response.status_code == 200 and self.state() == "active"


class Removing(DrainTestCase):
    def remove(self, **data):
        data = {"confirmation": "alpha", **data}
        return self.client.post(self.remove_url, data, follow=True)

    def test_names_what_stops_it(self):
        DockerHost.objects.update(state="cordoned")
        text = self.remove().content.decode()
        assert "is there still" in text and self.state() == "cordoned"

    def test_removes_an_empty_one(self):
        self.drain()
        ServiceInstance.objects.update(container=None)
        self.host.containers.update(state="gone")
        self.remove()
        assert self.state() == "removed"
        response = self.client.get(reverse("admin:instances_dockerhost_changelist"))
        assert "alpha" not in response.content.decode().split("result_list")[1]
        assert self.client.get(self.drain_url).status_code == 404

    def test_the_history_names_it_still(self):
        self.test_removes_an_empty_one()
        container = self.host.containers.get()
        text = self.text_of(change_url(container))
        name = f"alpha (removed {timezone.now().date()}"
        assert name in text
        page = self.text_of(change_url(self.host))
        assert name in page and "Test connection" not in page and "_save" not in page
        url = reverse("admin:instances_dockerhost_changelist")
        assert name in self.text_of(url, state__exact="removed")
