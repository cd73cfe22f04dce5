import os
import subprocess
import sys
import tempfile
from unittest import mock

from django.conf import settings
from django.test import TestCase
from prometheus_client import CollectorRegistry

from brokersite import traffic
from brokersite.traffic import Traffic
from tests.osbapi.base import PlatformTestCase


def count(route: str, method: str = "GET", status: int = 200) -> float:
    registry = CollectorRegistry()
    registry.register(Traffic())
    labels = {"route": route, "method": method, "status": str(status)}
    name = "brokersite_http_requests_total"
    return registry.get_sample_value(name, {**labels, "instance_index": "0"}) or 0


class CountingTest(PlatformTestCase):
    def counted(self, route: str, method: str = "GET", status: int = 200) -> float:
        """How many more there are than at the last look."""
        before = getattr(self, "before", 0.0)
        self.before = count(route, method, status)
        return self.before - before

    def test_requests_by_route_without_ids(self):
        route = "/v2/service_instances/{instance_id}/service_bindings/{binding_id}"
        self.counted(route, status=404)
        self.get("/v2/service_instances/i-1/service_bindings/b-1")
        self.get("/v2/service_instances/i-2/service_bindings/b-2")
        assert self.counted(route, status=404) == 2

    def test_the_console_is_one_route(self):
        self.counted("/admin/", status=302)
        self.client.get("/admin/instances/operation/")
        self.client.get("/admin/instances/dockerhost/")
        assert self.counted("/admin/", status=302) == 2

    def test_paths_that_nobody_has_are_one_route(self):
        self.counted("other", status=404)
        for path in ("/a", "/b", "/static/nothing.css"):
            self.client.get(path)
        assert self.counted("other", status=404) == 3

    def test_methods_that_are_none_are_one(self):
        self.counted("/", "other", 405)
        for method in ("BREW", "WHEN"):
            self.client.generic(method, "/")
        labels = [key for key in _methods() if key not in traffic.METHODS]
        assert labels == ["other"]

    def test_health_checks_are_not_counted(self):
        before = _total()
        for path in ("/healthz", "/readyz", "/readyz/worker"):
            self.client.get(path)
        assert _total() == before

    def test_a_view_that_fails_is_counted(self):
        self.counted("/v2/catalog", status=500)
        self.client.raise_request_exception = False
        with mock.patch("osbapi.views.Catalog.get", side_effect=KeyError):
            self.get("/v2/catalog")
        assert self.counted("/v2/catalog", status=500) == 1


def _methods() -> set[str]:
    return {
        sample.labels["method"]
        for metric in Traffic().collect()
        for sample in metric.samples
    }


def _total() -> float:
    return sum(
        sample.value
        for metric in Traffic().collect()
        for sample in metric.samples
        if sample.name == "brokersite_http_requests_total"
    )


class ProcessesTest(TestCase):
    """Whichever web process is asked tells of all of them."""

    def test_numbers_of_several_processes_add_up(self):
        count_two = (
            "from brokersite import traffic\n"
            "add, observe = traffic._series('readyz', 'GET', 200)\n"
            "add(); add(); observe(0.02)\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}
            for _ in range(2):
                subprocess.run(
                    [sys.executable, "-c", count_two],
                    cwd=settings.BASE_DIR,
                    env=environ,
                    check=True,
                )
            with mock.patch.dict("os.environ", environ):
                assert count("/readyz") == 4
                assert os.listdir(folder)
