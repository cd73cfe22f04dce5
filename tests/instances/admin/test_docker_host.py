"""Docker hosts: what may be edited, the cure for bad input, the banner."""

from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.forms import model_to_dict
from django.urls import reverse
from django.utils import timezone

from instances.addresses import is_insecure
from instances.admin.docker_host import DockerHostForm
from instances.admin.html import change_url
from instances.models import AuditEvent, Container, DockerHost
from instances.operations import check_host
from tests.authority import Authority, private_pem
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


class Adding(ConsoleTestCase):
    """A host over TLS or ssh."""

    authority = Authority()
    pair = authority.client()
    url = "/admin/instances/dockerhost/add/"

    def fields(self, **changes):
        right = {
            "name": "beta",
            "url": "tcp://docker.example.org:2376",
            "state": "active",
            "tls_ca": self.authority.ca,
            "tls_certificate": self.pair.certificate,
            "tls_key": self.pair.key,
            "database_host": "10.0.0.9",
            "publish_address": "10.0.0.9",
            "port_min": 20000,
            "port_max": 20099,
            "memory_mb": 1024,
            "reserve_mb": 1024,
        }
        return {**right, **changes}

    def added(self):
        assert self.client.post(self.url, self.fields()).status_code == 302
        return DockerHost.objects.get(name="beta")

    def test_the_key_is_stored_encrypted_and_never_shown(self):
        """S17, S22."""
        host = self.added()
        assert host.tls_key.strip() == self.pair.key.strip()
        with connection.cursor() as cursor:
            cursor.execute("SELECT tls_key FROM instances_dockerhost")
            assert "PRIVATE KEY" not in cursor.fetchone()[0]
        text = self.text_of(change_url(host))
        assert "PRIVATE KEY-----" not in text.replace("BEGIN … PRIVATE KEY-----", "")
        assert self.pair.key.splitlines()[1] not in text
        assert "BEGIN CERTIFICATE" in text
        assert "PRIVATE" not in str(AuditEvent.objects.values_list())

    def test_a_key_left_empty_stays(self):
        host = self.added()
        empty = self.fields(name="gamma", tls_key="")
        assert self.client.post(change_url(host), empty).status_code == 302
        host.refresh_from_db()
        assert (host.name, host.tls_key.strip()) == ("gamma", self.pair.key.strip())
        assert AuditEvent.objects.first().changes == {"name": ["beta", "gamma"]}

    def test_a_new_pair_takes_the_place_of_the_old_one(self):
        host, new = self.added(), self.authority.client()
        changes = {"tls_certificate": new.certificate, "tls_key": new.key}
        assert (
            self.client.post(change_url(host), self.fields(**changes)).status_code
            == 302
        )
        host.refresh_from_db()
        assert host.tls_key.strip() == new.key.strip()
        assert AuditEvent.objects.first().changes["tls_key"] == ["", "given anew"]

    def test_without_certificates_the_key_goes_too(self):
        host = self.added()
        gone = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key"), "")
        local = self.fields(**gone, url="unix:///run/docker.sock")
        assert self.client.post(change_url(host), local).status_code == 302
        host.refresh_from_db()
        assert (host.tls_ca, host.tls_key) == ("", "")

    def test_bad_input_names_the_cure(self):
        other = Authority("other")
        old = self.authority.client(days=-1)
        for changes, cure in (
            ({"url": "docker"}, "Give unix://PATH, tcp://HOST:PORT or ssh://USER@HOST"),
            ({"url": "ssh://-oProxyCommand=x@h"}, "Give unix://PATH"),
            ({"tls_key": "x"}, "This is no private key in PEM"),
            ({"tls_key": other.client().key}, "does not belong to the client"),
            ({"tls_ca": other.ca}, "No CA of this host has signed it"),
            (
                {"tls_certificate": old.certificate, "tls_key": old.key},
                "It has expired on",
            ),
            (
                {"tls_ca": "", "tls_certificate": "", "tls_key": ""},
                "Plain tcp:// makes",
            ),
            ({"url": "unix:///d.sock"}, "leave all three empty"),
            ({"url": "ssh://u@h"}, "ssh-keyscan prints"),
            ({"labels": "a,b"}, "words with spaces between them"),
        ):
            response = self.client.post(self.url, self.fields(**changes))
            assert response.status_code == 200, changes
            assert cure in response.content.decode(), changes
        assert not DockerHost.objects.exists()

    def test_one_over_ssh(self):
        gone = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key"), "")
        key = private_pem(ec.generate_private_key(ec.SECP256R1()))
        fields = self.fields(
            **gone,
            url="ssh://deploy@docker.example.org",
            ssh_key=key,
            ssh_host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA",
        )
        assert self.client.post(self.url, fields).status_code == 302
        host = DockerHost.objects.get()
        assert host.ssh_key.strip() == key.strip()
        assert key.splitlines()[1] not in self.text_of(change_url(host))

    def test_a_certificate_that_expires_soon_is_shown(self):
        host = self.added()
        soon = self.authority.client(days=29)
        DockerHost.objects.update(tls_certificate=soon.certificate)
        assert "certificate expires" in self.text_of(change_url(host))
        assert "certificate expires" in self.text_of("/admin/instances/dockerhost/")

    def test_only_one_that_never_had_a_database_can_be_deleted(self):
        host = self.added()
        Container.objects.create(
            host=host, engine="mariadb", image="i", memory_mb=64, cpus=1, pids=20
        )
        delete = change_url(host).replace("/change/", "/delete/")
        assert self.client.post(delete, {"post": "yes"}).status_code == 403
        host.containers.all().delete()
        assert self.client.post(delete, {"post": "yes"}).status_code == 302
        assert not DockerHost.objects.exists()
        assert AuditEvent.objects.first().action == "delete host"


class Connection(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.host = rows.make_host()
        self.found = []
        patcher = patch.object(check_host, "check", lambda host: self.found)
        patcher.start()
        self.addCleanup(patcher.stop)

    def post(self, word, **fields):
        url = change_url(self.host).replace("/change/", f"/{word}/")
        return self.client.post(url, fields, follow=True).content.decode()

    def test_the_button_asks_and_says_how_it_went(self):
        assert "answers as it should" in self.post("check")
        self.found = [check_host.Finding("bad", "It is down.", "Start it.")]
        assert "Something is wrong with alpha" in self.post("check")

    def test_a_look_asks_nothing(self):
        url = change_url(self.host).replace("/change/", "/check/")
        assert self.client.get(url).status_code == 405

    def test_what_was_found_is_shown(self):
        self.host.findings = [{"level": "bad", "text": "<b>It", "cure": "Start it."}]
        self.host.checked_at = timezone.now()
        self.host.save()
        text = self.text_of(change_url(self.host))
        assert "&lt;b&gt;It" in text and "Start it." in text

    def test_another_engine_is_shown_and_accepted(self):
        """F44."""
        self.host.pin("known")
        self.host.quarantine("another")
        text = self.text_of(change_url(self.host))
        assert "Accept this Docker Engine" in text and "another" in text
        assert "test the connection again" in self.post("accept-engine", engine_id="x")
        self.post("accept-engine", engine_id="another")
        self.host.refresh_from_db()
        assert (self.host.engine_id, self.host.is_quarantined) == ("another", False)


class DryRun(ConsoleTestCase):
    url = "/admin/instances/dockerhost/placement/"

    def test_it_tells_where_they_would_go_and_makes_nothing(self):
        rows.make_host()
        plan = rows.make_plan()
        text = self.text_of(self.url, plan=plan.pk, number=20)
        assert "20 of" in text and "alpha" in text
        assert not Container.objects.exists()

    def test_a_wrong_number_names_the_cure(self):
        plan = rows.make_plan()
        text = self.text_of(self.url, plan=plan.pk, number=0)
        assert "Give a number from 1 to 1000." in text

    def test_it_is_found_from_the_list(self):
        assert self.url in self.text_of("/admin/instances/dockerhost/")


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
