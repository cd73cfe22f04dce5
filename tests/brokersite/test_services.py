"""What comes from a service of Cloud Foundry instead of from variables."""

import json
import tempfile
from pathlib import Path
from typing import Any

from django.test import SimpleTestCase

from tests.brokersite.certificates import Authority
from tests.brokersite.test_environment import KEYS, SECRET_KEY, load, refusal, services


def cups(name: str = "brokersite-secrets", **credentials: Any) -> str:
    binding = {"name": name, "tags": [], "credentials": credentials}
    return json.dumps({"user-provided": [binding]})


class SecretsServiceTest(SimpleTestCase):
    def test_it_takes_the_place_of_the_variables(self):
        held = cups(
            SECRET_KEY="s" + SECRET_KEY,
            ENCRYPTION_KEYS=KEYS[1],
            ADMIN_PASSWORD="a",
            BROKER_PASSWORD="b",
            DATABASE_URI="postgres://u:p@h/n",
        )
        found = load(SECRET_KEY="", ENCRYPTION_KEYS="", VCAP_SERVICES=held)
        assert found.secret_key == "s" + SECRET_KEY
        assert found.encryption_keys == (KEYS[1],)
        assert (found.operator.username, found.operator.password) == ("admin", "a")
        assert found.broker_login.username == "broker"
        assert found.broker_login.password == "b"
        assert found.database["HOST"] == "h"

    def test_a_variable_wins(self):
        found = load(VCAP_SERVICES=cups(SECRET_KEY="x"))
        assert found.secret_key == SECRET_KEY

    def test_another_name_can_be_given(self):
        held = cups("other", ADMIN_PASSWORD="a")
        assert load(VCAP_SERVICES=held).operator.password == ""
        found = load(VCAP_SERVICES=held, SECRETS_SERVICE="other")
        assert found.operator.password == "a"
        assert "SECRETS_SERVICE" in refusal(SECRETS_SERVICE="none")

    def test_a_name_that_means_nothing_is_said(self):
        """A typing error would cost the secret."""
        text = refusal(VCAP_SERVICES=cups(SECRETKEY="canary"))
        assert "brokersite-secrets has 'SECRETKEY'" in text and "canary" not in text


class FileTest(SimpleTestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "services"

    def test_services_can_be_in_a_file(self):
        self.path.write_text(services())
        found = load(VCAP_SERVICES_FILE_PATH=str(self.path))
        assert found.database["HOST"] == "db.example"

    def test_a_file_that_is_none_is_named(self):
        assert "VCAP_SERVICES_FILE_PATH names" in refusal(
            VCAP_SERVICES_FILE_PATH=str(self.path)
        )
        self.path.write_text("[")
        assert "VCAP_SERVICES_FILE_PATH is not JSON" in refusal(
            VCAP_SERVICES_FILE_PATH=str(self.path)
        )


class DockerCertificatesTest(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        ca = Authority()
        certificate, key = ca.certificate("client")
        cls.held = {
            "DOCKER_TLS_CA": ca.pem,
            "DOCKER_TLS_CERT": certificate,
            "DOCKER_TLS_KEY": key,
        }

    def test_without_any_they_are_empty(self):
        docker = load().docker
        assert (docker.tls_ca, docker.tls_certificate, docker.tls_key) == ("", "", "")

    def test_they_come_from_the_secrets(self):
        docker = load(VCAP_SERVICES=cups(**self.held)).docker
        assert docker.tls_ca == self.held["DOCKER_TLS_CA"]
        assert docker.tls_certificate == self.held["DOCKER_TLS_CERT"]
        assert docker.tls_key == self.held["DOCKER_TLS_KEY"]

    def test_a_shell_may_have_made_one_line_of_them(self):
        folded = {n: text.replace("\n", "\\n") for n, text in self.held.items()}
        assert load(**folded).docker.tls_key == self.held["DOCKER_TLS_KEY"]

    def test_all_three_belong_together(self):
        for name in self.held:
            assert f"{name} is missing" in refusal(**{**self.held, name: ""})

    def test_what_is_no_certificate_or_key_is_named(self):
        """S20: and not shown."""
        for name in self.held:
            text = refusal(**{**self.held, name: "canary"})
            assert f"- {name} is not" in text and "canary" not in text

    def test_a_key_of_another_certificate_is_refused(self):
        _, other = Authority().certificate("client")
        text = refusal(**{**self.held, "DOCKER_TLS_KEY": other})
        assert "DOCKER_TLS_KEY is not usable" in text and "does not belong" in text
