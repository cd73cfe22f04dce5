"""Docker hosts: what may be edited, the cure for bad input, the banner."""

from django.forms import model_to_dict
from django.urls import reverse

from instances.addresses import is_insecure
from instances.admin.docker_host import DockerHostForm
from instances.admin.html import change_url
from instances.models import AuditEvent, DockerHost
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class Editing(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.host = rows.make_host()

    def save(self, **changes):
        fields = model_to_dict(self.host, fields=DockerHostForm.Meta.fields)
        return self.client.post(change_url(self.host), {**fields, **changes})

    def test_state_addresses_ports_and_memory(self):
        changes = {
            "name": "beta",
            "state": "cordoned",
            "database_host": "db.example.org",
            "publish_address": "127.0.0.1",
            "port_min": 21000,
            "port_max": 22000,
            "memory_mb": 512,
            "reserve_mb": 0,
        }
        assert self.save(**changes).status_code == 302
        self.host.refresh_from_db()
        assert {name: getattr(self.host, name) for name in changes} == changes

    def test_url_stays(self):
        self.save(url="tcp://10.0.0.9:2375", name="beta")
        self.host.refresh_from_db()
        assert self.host.url == "unix:///var/run/alpha.sock"

    def test_is_audited(self):
        self.save(state="cordoned")
        event = AuditEvent.objects.get()
        assert event.actor_name == "olga"
        assert event.changes == {"state": ["active", "cordoned"]}

    def test_saving_nothing_new_leaves_no_trace(self):
        self.save()
        assert not AuditEvent.objects.exists()

    def test_what_a_worker_writes_meanwhile_is_kept(self):
        save_form = DockerHostForm.save

        def save_late(form, commit=True):
            self.host.note_contact("does not answer")
            return save_form(form, commit)

        self.addCleanup(setattr, DockerHostForm, "save", save_form)
        DockerHostForm.save = save_late
        self.save(state="cordoned")
        self.host.refresh_from_db()
        assert self.host.problem == "does not answer"

    def test_bad_input_names_the_cure(self):
        for changes, cure in (
            (
                {"publish_address": "nowhere"},
                "s IP addresses, such as",
            ),
            ({"database_host": "tcp://db:3306"}, "without scheme and port"),
            ({"database_host": "db:3306"}, "without scheme and port"),
            ({"port_min": 80}, "Give a port from 1024 to 65535."),
            ({"port_max": 70000}, "Give a port from 1024 to 65535."),
            ({"port_min": 25000, "port_max": 24000}, "above the lowest port"),
            ({"memory_mb": -1}, "Give the MiB"),
            ({"name": ""}, "Give the host a name."),
        ):
            text = self.save(**changes).content.decode()
            assert cure in text, changes
        self.host.refresh_from_db()
        assert self.host.database_host == "10.0.0.5"


class Banner(ConsoleTestCase):
    def test_stands_on_every_page_while_docker_is_open(self):
        host = rows.make_host("open", url="tcp://10.0.0.9:2375")
        for url in (reverse("admin:index"), change_url(host), "/admin/auth/user/"):
            assert "Docker without TLS" in self.text_of(url), url
        DockerHost.objects.update(url="tcp://127.0.0.1:2375")
        assert "Docker without TLS" not in self.text_of(reverse("admin:index"))

    def test_only_plain_tcp_to_elsewhere_is_open(self):
        for url in ("tcp://10.0.0.9:2375", "tcp://docker:2375", "tcp://[fd00::1]:2375"):
            assert is_insecure(url), url
        for url in (
            "unix:///var/run/docker.sock",
            "tcp://127.0.0.1:2375",
            "tcp://localhost:2375",
            "tcp://[::1]:2375",
        ):
            assert not is_insecure(url), url
