"""`make register`, against a broker and a cf command that only write down."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import LiveServerTestCase, SimpleTestCase

from instances.models import BrokerCredential
from instances.operations.catalog_files import load_catalog
from tests.osbapi.base import PASSWORD, USERNAME

ROOT = Path(__file__).resolve().parents[2]
CF = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/said"
[ "$1" != service-brokers ] || cat "$(dirname "$0")/brokers"
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "bin" / "register"],
        env={"PATH": "/nowhere", **environment},
        capture_output=True,
        text=True,
    )


class MistakeTest(SimpleTestCase):
    def test_what_is_missing_is_named(self):
        result = run()
        assert result.returncode == 1
        assert "BROKER_URL" in result.stderr
        assert "BROKER_PASSWORD" in result.stderr

    def test_a_broker_that_does_not_answer_is_told(self):
        result = run(BROKER_URL="http://127.0.0.1:1", BROKER_PASSWORD="p")
        assert result.returncode == 1
        assert "No broker answers at http://127.0.0.1:1" in result.stderr


class RegisterTest(LiveServerTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        credential = BrokerCredential(username=USERNAME)
        credential.set_password(PASSWORD)
        credential.save()
        load_catalog(ROOT / "catalog.yml")

    def register(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(
            BROKER_URL=f"{self.live_server_url}/",
            BROKER_USERNAME=USERNAME,
            BROKER_PASSWORD=PASSWORD,
            **environment,
        )

    def with_cf(self, brokers: str) -> list[str]:
        (self.folder / "cf").write_text(CF)
        (self.folder / "cf").chmod(0o755)
        (self.folder / "brokers").write_text(f"name url\n{brokers}\n")
        result = self.register(PATH=f"{self.folder}:{os.environ['PATH']}")
        assert result.returncode == 0, result.stderr
        return (self.folder / "said").read_text().splitlines()

    def test_without_the_cf_command_the_commands_are_printed(self):
        result = self.register()
        assert result.returncode == 0, result.stderr
        url = self.live_server_url
        create = (
            f'cf create-service-broker brokersite {USERNAME} "$BROKER_PASSWORD" {url}'
        )
        assert create in result.stdout.splitlines()
        assert "cf enable-service-access mysql-docker -b brokersite" in result.stdout
        assert PASSWORD not in result.stdout

    def test_with_it_the_broker_is_created(self):
        said = self.with_cf("other https://other.example.com")
        assert said[1].startswith("create-service-broker brokersite")
        assert said[2:] == [
            f"enable-service-access {name}-docker -b brokersite"
            for name in ("mysql", "postgres", "redis")
        ]

    def test_a_known_one_is_updated(self):
        said = self.with_cf("brokersite https://brokersite.example.com")
        assert said[1].startswith("update-service-broker brokersite")

    def test_a_wrong_password_is_told(self):
        result = run(BROKER_URL=self.live_server_url, BROKER_PASSWORD="wrong")
        assert result.returncode == 1
        assert "does not take the password" in result.stderr
