"""manifest.yml is what Cloud Controller takes: it passes over much without a word."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import yaml
from django.test import SimpleTestCase

ROOT = Path(__file__).resolve().parents[2]

# Cloud Controller's AppManifestMessage, ManifestProcessUpdateMessage and
# ManifestProcessScaleMessage, as of August 2026. Any other key of an application is
# refused; any other key of a process is passed over without a word.
APPLICATION_KEYS = {
    *("name", "buildpack", "buildpacks", "stack", "docker", "lifecycle", "features"),
    *("command", "env", "instances", "memory", "disk_quota", "timeout", "path"),
    *("log-rate-limit-per-second", "metadata", "processes", "sidecars", "services"),
    *("routes", "no-route", "random-route", "default-route", "cnb-credentials"),
    *("health-check-type", "health-check-http-endpoint", "health-check-interval"),
    *("health-check-invocation-timeout", "readiness-health-check-type"),
    *("readiness-health-check-http-endpoint", "readiness-health-check-interval"),
    "readiness-health-check-invocation-timeout",
}
PROCESS_KEYS = {
    *("type", "command", "instances", "memory", "disk_quota", "timeout", "user"),
    "log-rate-limit-per-second",
    *(key for key in APPLICATION_KEYS if "health-check" in key),
}
SECRET = re.compile("secret|password|passwd|token|key|credential|cert|uri", re.I)


class ManifestTest(SimpleTestCase):
    def setUp(self):
        self.document = yaml.safe_load((ROOT / "manifest.yml").read_text())
        (self.app,) = self.document["applications"]
        self.processes = {p["type"]: p for p in self.app["processes"]}

    def test_every_key_means_something_to_cloud_controller(self):
        assert set(self.document) == {"version", "applications"}
        assert self.document["version"] == 1
        assert set(self.app) <= APPLICATION_KEYS
        for process in self.processes.values():
            assert set(process) <= PROCESS_KEYS

    def test_values_are_of_the_kind_that_is_wanted(self):
        for process in self.processes.values():
            assert re.fullmatch(r"\d+[MG]", process["memory"])
            assert re.fullmatch(r"\d+[MG]", process["disk_quota"])
            assert process["instances"] >= 2, "a rolling deploy needs a second one"
            kinds = [v for k, v in process.items() if k.endswith("health-check-type")]
            assert set(kinds) <= {"http", "port", "process"}
        web = self.processes["web"]
        assert 1 <= web["timeout"] <= 180, "more is refused by default"

    def test_web_is_checked_over_http(self):
        web = self.processes["web"]
        assert web["health-check-http-endpoint"] == "/healthz"
        assert web["readiness-health-check-http-endpoint"] == "/readyz"

    def test_no_secret_is_in_the_environment(self):
        assert not [name for name in self.app["env"] if SECRET.search(name)]

    def test_a_variable_of_the_push_is_all_that_is_left_open(self):
        text = (ROOT / "manifest.yml").read_text()
        open_names = set(re.findall(r"\(\(([^)]+)\)\)", text))
        assert open_names == {"docker-host", "database-host"}

    def test_the_procfile_says_the_same(self):
        lines = (ROOT / "Procfile").read_text().splitlines()
        commands = dict(line.split(": ", 1) for line in lines)
        assert commands == {kind: p["command"] for kind, p in self.processes.items()}

    def test_a_signal_reaches_the_process_itself(self):
        """The shell before it must be gone: it would not pass SIGTERM on."""
        for process in self.processes.values():
            assert re.search(r"(?:&&|;) exec [^;&|]*$", process["command"])

    def test_the_web_process_stops_in_time_and_keeps_connections_longest(self):
        """Ten seconds to SIGKILL; the router gives an idle connection up after 90."""
        from brokersite.stopping import ROUTE_REMOVAL_S

        words = shlex.split(self.processes["web"]["command"])
        options = dict(pairwise(words))
        assert ROUTE_REMOVAL_S + int(options["--graceful-timeout"]) <= 8
        assert int(options["--keep-alive"]) > 90

    def test_the_python_that_is_asked_for_is_the_one_that_is_compiled_for(self):
        assert (ROOT / "runtime.txt").read_text().strip() == "python-3.11.x"
        assert "--python-version 3.11" in (ROOT / "requirements.txt").read_text()

    def test_the_buildpack_finds_django_and_each_requirement_has_its_hash(self):
        """FACTS 9: it runs collectstatic if the requirements name exactly django."""
        text = (ROOT / "requirements.txt").read_text()
        pins = re.findall(r"(?m)^([a-z0-9-]+)==\S+.*?((?:\\\n\s+--hash=\S+ ?)+)", text)
        assert "django" in [name for name, _ in pins]
        assert len(pins) == len(re.findall(r"(?m)^[a-z0-9-]+(?:\[\w+\])?==", text))
