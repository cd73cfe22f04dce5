import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from brokersite import environment
from brokersite.environment import Environment

SECRET_KEY = "k" + "0123456789" * 5
KEYS = [Fernet.generate_key().decode() for _ in range(2)]
ROOT = Path("/srv/site")


def load(**variables: str) -> Environment:
    """The smallest environment that is usable, changed."""
    source = {"SECRET_KEY": SECRET_KEY, "ENCRYPTION_KEYS": KEYS[0], **variables}
    return environment.load(source, root=ROOT)


def refusal(**variables: str) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(**variables)
    return str(caught.value)


def services(**binding: Any) -> str:
    """VCAP_SERVICES with one MySQL, changed."""
    fields = {
        "name": "broker-db",
        "tags": ["MySQL", "relational"],
        "credentials": {
            "hostname": "db.example",
            "port": 3307,
            "name": "broker",
            "username": "u",
            "password": "p",
        },
    }
    return json.dumps({"p.mysql": [{**fields, **binding}]})


class SecretsTest(SimpleTestCase):
    def test_a_missing_or_weak_secret_key_is_named(self):
        """S55."""
        for key in ("", "short", "a" * 60):
            assert "SECRET_KEY" in refusal(SECRET_KEY=key)

    def test_missing_encryption_keys_are_named(self):
        """F124."""
        assert "ENCRYPTION_KEYS" in refusal(ENCRYPTION_KEYS="")

    def test_a_key_that_is_none_is_named_by_its_place(self):
        assert "key 2" in refusal(ENCRYPTION_KEYS=f"{KEYS[0]},nonsense")

    def test_a_password_in_an_address_is_not_shown(self):
        """S20: gunicorn prints what went wrong past every log."""
        message = refusal(DOCKER_HOST="tcp://u:hunter-2@10.0.0.1")
        assert "tcp://u:***@10.0.0.1" in message

    def test_the_wrong_key_itself_is_not_shown(self):
        """S20."""
        assert "canary" not in refusal(ENCRYPTION_KEYS="canary", SECRET_KEY="canary")

    def test_keys_keep_their_order(self):
        keys = load(ENCRYPTION_KEYS=f" {KEYS[1]} , {KEYS[0]},").encryption_keys
        assert keys == (KEYS[1], KEYS[0])

    def test_every_mistake_is_named_at_once(self):
        text = refusal(
            SECRET_KEY="",
            ENCRYPTION_KEYS="",
            PORT="http",
            LOG_LEVEL="LOUD",
            DEBUG="perhaps",
            PUBLIC_URL="ftp://x",
            DOCKER_HOST="ftp://x",
            DATABASE_HOST="db.example.com",
            WORKER_THREADS="0",
            OPERATION_LEASE_S="-1",
            VCAP_SERVICES="[",
            VCAP_APPLICATION="1",
        )
        for name in (
            *("SECRET_KEY", "ENCRYPTION_KEYS", "PORT", "LOG_LEVEL", "DEBUG"),
            *("PUBLIC_URL", "DOCKER_HOST", "DATABASE_BIND_ADDRESS", "WORKER_THREADS"),
            *("OPERATION_LEASE_S", "VCAP_SERVICES", "VCAP_APPLICATION"),
        ):
            assert f"- {name}" in text


class SiteTest(SimpleTestCase):
    def test_without_anything_it_is_a_local_site(self):
        site = load()
        assert site.public_url == "http://127.0.0.1:8000"
        assert not site.debug and not site.is_https

    def test_the_port_is_in_the_local_address(self):
        assert load(PORT="8123").public_url == "http://127.0.0.1:8123"

    def test_a_route_of_cloud_foundry_is_the_public_url(self):
        application = json.dumps({"application_uris": ["x.example/p"]})
        site = load(VCAP_APPLICATION=application, VCAP_SERVICES=services())
        assert site.public_url == "https://x.example/p" and site.is_https
        assert "x.example" in site.allowed_hosts

    def test_an_app_without_routes_is_fine(self):
        """A worker has none."""
        for value in ('{"application_uris": []}', '{"application_uris": null}'):
            site = load(VCAP_APPLICATION=value, VCAP_SERVICES=services())
            assert site.public_url.startswith("http://127")

    def test_public_url_wins_and_loses_its_last_slash(self):
        site = load(PUBLIC_URL="https://broker.example.com/")
        assert site.public_url == "https://broker.example.com"
        assert "broker.example.com" in site.allowed_hosts

    def test_hosts_are_added_not_replaced(self):
        hosts = load(ALLOWED_HOSTS="a.example, b.example").allowed_hosts
        assert {"a.example", "b.example", "localhost", "127.0.0.1"} <= set(hosts)

    def test_no_host_is_a_wildcard(self):
        assert "*" not in load().allowed_hosts

    def test_a_number_out_of_range_is_named_with_the_range(self):
        for value in ("0", "65536", "80.0", "٣", "+80", "1e3"):
            assert "from 1 to 65535" in refusal(PORT=value)

    def test_blank_means_unset(self):
        assert load(PORT=" ", LOG_LEVEL="").log_level == "INFO"

    def test_the_state_is_kept_below_the_root(self):
        assert load().state_directory == ROOT / "var"
        assert load(STATE_DIRECTORY="/data").state_directory == Path("/data")

    def test_on_cloud_foundry_one_router_is_believed(self):
        """S40: elsewhere a client could write what it likes."""
        assert load().forwarded_hops == 0
        on_cloud_foundry = {
            "VCAP_APPLICATION": '{"application_id": "a"}',
            "DATABASE_URI": "mysql://u:p@db.example.com/broker",
        }
        assert load(**on_cloud_foundry).forwarded_hops == 1
        assert load(FORWARDED_HOPS="2", **on_cloud_foundry).forwarded_hops == 2


class DockerTest(SimpleTestCase):
    """The variables of the broker of 2014 keep their meaning."""

    def url(self, **variables: str) -> str:
        return load(ALLOW_INSECURE_DOCKER="1", **variables).docker.url

    def test_the_local_engine_is_the_default(self):
        assert self.url() == "unix:///var/run/docker.sock"

    def test_a_bare_name_gets_the_port(self):
        url = self.url(DOCKER_HOST="192.168.59.103", DOCKER_PORT="4243")
        assert url == "tcp://192.168.59.103:4243"

    def test_a_url_keeps_its_port(self):
        url = self.url(DOCKER_HOST="tcp://docker.example:4243", DOCKER_PORT="1")
        assert url == "tcp://docker.example:4243"

    def test_http_is_tcp(self):
        assert (
            self.url(DOCKER_HOST="http://docker.example:1") == "tcp://docker.example:1"
        )

    def test_a_scheme_without_a_port_gets_it(self):
        assert (
            self.url(DOCKER_HOST="tcp://docker.example") == "tcp://docker.example:2375"
        )

    def test_a_socket_keeps_its_path(self):
        assert self.url(DOCKER_HOST="unix:///run/d.sock") == "unix:///run/d.sock"

    def test_other_schemes_are_refused(self):
        for url in ("ftp://x", "ssh://x", "unix://", "tcp://"):
            assert "DOCKER_HOST" in refusal(DOCKER_HOST=url)

    def test_tcp_without_tls_is_refused_unless_it_is_allowed(self):
        """S1: root on that host for whoever reaches it."""
        assert "ALLOW_INSECURE_DOCKER" in refusal(DOCKER_HOST="tcp://192.0.2.1:2375")
        assert self.url(DOCKER_HOST="tcp://192.0.2.1:2375") == "tcp://192.0.2.1:2375"

    def test_databases_listen_on_loopback_unless_told(self):
        """S13: never 0.0.0.0 unasked."""
        docker = load().docker
        assert (docker.database_host, docker.publish_address) == ("127.0.0.1",) * 2

    def test_a_database_host_that_is_an_address_is_listened_on(self):
        assert load(DATABASE_HOST="192.0.2.7").docker.publish_address == "192.0.2.7"

    def test_localhost_listens_on_loopback(self):
        assert load(DATABASE_HOST="localhost").docker.publish_address == "127.0.0.1"

    def test_a_database_host_that_is_a_name_needs_the_address(self):
        assert "DATABASE_BIND_ADDRESS" in refusal(DATABASE_HOST="db.example.com")
        docker = load(
            DATABASE_HOST="db.example.com", DATABASE_BIND_ADDRESS="192.0.2.7"
        ).docker
        assert docker.database_host == "db.example.com"
        assert docker.publish_address == "192.0.2.7"


class LogsAndMetricsTest(SimpleTestCase):
    def test_cloud_foundry_gets_json_and_people_get_text(self):
        assert load().log_format == "text"
        on_platform = {"VCAP_APPLICATION": '{"name": "a"}', "VCAP_SERVICES": services()}
        assert load(**on_platform).log_format == "json"
        assert load(**on_platform, LOG_FORMAT="text").log_format == "text"
        assert "json, text" in refusal(LOG_FORMAT="xml")

    def test_without_a_password_there_are_no_metrics(self):
        environment = load()
        assert environment.metrics_username == "metrics"
        assert environment.metrics_password == ""

    def test_a_short_password_is_refused_and_not_shown(self):
        """S20, S28."""
        message = refusal(METRICS_PASSWORD="too-short")
        assert "METRICS_PASSWORD is short: give 12 characters" in message
        assert "too-short" not in message

    def test_the_watchdogs_patience_is_bounded(self):
        assert load().watchdog_s == 300
        assert load(WATCHDOG_S="60").watchdog_s == 60
        assert "WATCHDOG_S" in refusal(WATCHDOG_S="1")


class Backups(SimpleTestCase):
    def test_a_registry_is_named_as_docker_push_takes_it(self):
        for name in ("r.example.com/a", "127.0.0.1:5000/a/b-c", "r.example.com/a/"):
            assert load(BACKUP_REGISTRY=name).backups.registry == name.rstrip("/")
        assert load().backups.registry == ""

    def test_what_is_no_registry_is_named(self):
        for name in ("r.example.com", "https://r.example.com/a", "R/a", "r/a:tag"):
            assert "BACKUP_REGISTRY is" in refusal(BACKUP_REGISTRY=name), name

    def test_its_password_is_not_shown(self):
        """S20."""
        assert "hush" not in repr(load(BACKUP_REGISTRY_PASSWORD="hush"))


class SessionsTest(SimpleTestCase):
    def test_they_last_twelve_hours_or_as_said(self):
        """S51."""
        assert (load().session_hours, load().session_ends_with_browser) == (12, False)
        said = load(SESSION_HOURS="1", SESSION_ENDS_WITH_BROWSER="1")
        assert (said.session_hours, said.session_ends_with_browser) == (1, True)

    def test_a_length_that_is_none_is_named(self):
        for hours in ("0", "721", "for ever"):
            assert "SESSION_HOURS" in refusal(SESSION_HOURS=hours)
