"""/metrics: who gets it, in which form, at what cost; docs/metrics.md says the same."""

import re
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import OperationalError
from django.test import TestCase, override_settings
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from brokersite import VERSION
from brokersite.metrics import guesses
from instances.guesses import ALLOWED
from instances.guesses import guesses as platforms_guesses
from instances.metrics.operations import history
from instances.models import ServiceInstance, ServicePlan, Worker
from instances.operations.reconcile import reconcile
from tests.fakes import make_host, make_plan
from tests.instances.backups import BackupTestCase
from tests.osbapi.base import basic

USERNAME, PASSWORD = "metrics", "a password for metrics"
QUERIES = 19


def scrape(client: Any, password: str = PASSWORD, **headers: str) -> Any:
    login = {"Authorization": basic(USERNAME, password)}
    return client.get("/metrics", headers={**login, **headers})


@override_settings(METRICS_USERNAME=USERNAME, METRICS_PASSWORD=PASSWORD)
class LoginTest(TestCase):
    def setUp(self) -> None:
        guesses.clear()
        self.addCleanup(guesses.clear)

    def test_with_it_there_are_metrics(self):
        answer = scrape(self.client)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=")
        assert answer["Cache-Control"] == "no-store"

    def test_without_one_it_is_401(self):
        answer = self.client.get("/metrics")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Basic ")
        assert b"brokersite_" not in answer.content

    def test_a_wrong_or_odd_one_is_401(self):
        """S27."""
        for header in (
            basic(USERNAME, "wrong"),
            basic("broker", PASSWORD),
            basic(USERNAME, ""),
            basic(USERNAME, PASSWORD).replace("Basic", "Bearer"),
            "Basic not-base64!",
            "Basic",
            "Basic \udce9",
        ):
            guesses.clear()
            answer = self.client.get("/metrics", headers={"Authorization": header})
            assert answer.status_code == 401, header

    @override_settings(METRICS_PASSWORD="")
    def test_without_a_configured_password_there_are_none(self):
        for password in ("", PASSWORD):
            assert scrape(self.client, password).status_code == 404

    def test_guessing_becomes_slow_and_shuts_nobody_out(self):
        """S28."""
        for number in range(ALLOWED):
            assert scrape(self.client, f"guess {number}").status_code == 401
        refused = scrape(self.client, "another guess")
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0
        assert scrape(self.client).status_code == 200

    def test_guesses_here_do_not_count_for_platforms(self):
        for number in range(ALLOWED):
            scrape(self.client, f"guess {number}")
        assert platforms_guesses.wait_s("127.0.0.1") == 0

    def test_coming_without_a_login_is_no_guess(self):
        for _ in range(ALLOWED + 1):
            assert self.client.get("/metrics").status_code == 401

    def test_nothing_can_be_posted(self):
        assert self.client.post("/metrics").status_code == 405


@override_settings(METRICS_USERNAME=USERNAME, METRICS_PASSWORD=PASSWORD)
class DocumentTest(BackupTestCase):
    def setUp(self) -> None:
        super().setUp()
        history.clear()
        self.addCleanup(history.clear)
        # So that the answers before this one are counted, whichever test runs first.
        self.client.get("/")

    def populate(self) -> None:
        ServicePlan.objects.update(backup_interval_h=1, standby=1)
        self.verified(self.filled("i-1"))
        self.accept_provision("i-2")
        reconcile(self.host)
        Worker.objects.beat("w")

    def families(self) -> dict[str, Any]:
        text = scrape(self.client).content.decode()
        return {found.name: found for found in text_string_to_metric_families(text)}

    def test_prometheus_can_read_it(self):
        self.populate()
        families = self.families()
        assert len(families) == len(_documented())
        for family in families.values():
            assert family.documentation, family.name
            assert family.samples, family.name

    def test_prometheus_can_read_it_as_openmetrics(self):
        self.populate()
        accept = "application/openmetrics-text; version=1.0.0"
        answer = scrape(self.client, Accept=accept)
        assert answer["Content-Type"].startswith("application/openmetrics-text")
        text = answer.content.decode()
        found = list(openmetrics.text_string_to_metric_families(text))
        assert len(found) == len(_documented())

    def test_names_follow_the_conventions(self):
        self.populate()
        for name, family in self.families().items():
            assert re.fullmatch(r"brokersite(_[a-z]+)+", name)
            if family.type == "counter":
                assert all(s.name.endswith("_total") for s in family.samples)
            if "timestamp" in name or "duration" in name:
                assert name.endswith("_seconds")
            assert not re.search(r"_(ms|mb|minutes|hours)(_|$)", name)

    def test_each_series_is_there_once(self):
        self.populate()
        for family in self.families().values():
            series = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
            assert len(series) == len(set(series)), family.name

    def test_it_is_as_documented(self):
        self.populate()
        assert {
            _full_name(family): (family.type, _labels(family))
            for family in self.families().values()
        } == _documented()

    def test_the_cost_does_not_grow_with_the_rows(self):
        self.populate()
        with self.assertNumQueries(QUERIES):
            scrape(self.client)
        for number in range(2, 6):
            make_host(f"host-{number}")
            make_plan(f"plan-{number}", backup_interval_h=number)
            self.accept_provision(f"more-{number}")
        with self.assertNumQueries(QUERIES):
            scrape(self.client)
        assert f"in {QUERIES} queries" in DOCUMENT

    def test_without_a_database_it_says_so(self):
        """F17."""
        with mock.patch.object(
            type(ServiceInstance.objects), "order_by", side_effect=OperationalError
        ):
            families = self.families()
        (sample,) = families["brokersite_database_up"].samples
        assert sample.value == 0
        assert "brokersite_http_requests" in families
        assert "brokersite_service_instances" not in families

    def test_the_release_is_that_of_the_project(self):
        text = (Path(settings.BASE_DIR) / "pyproject.toml").read_text()
        assert f'version = "{VERSION}"' in text


DOCUMENT = (Path(settings.BASE_DIR) / "docs/metrics.md").read_text()


def _documented() -> dict[str, tuple[str, set[str]]]:
    rows = re.findall(
        r"^\| `(brokersite_\w+)` \| (\w+) \| ([`\w ]*)\|", DOCUMENT, re.MULTILINE
    )
    return {
        name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows
    }


def _full_name(family: Any) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Any) -> set[str]:
    return {label for s in family.samples for label in s.labels} - {"le"}


class DocumentedAlertsTest(TestCase):
    def test_alerts_name_what_there_is(self):
        alerts = DOCUMENT.partition("## Alerts")[2]
        named = set(re.findall(r"brokersite_\w+", alerts))
        assert named
        assert named <= set(_documented())
