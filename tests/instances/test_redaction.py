import json
import time

import pytest
from cryptography.fernet import Fernet
from django.test import SimpleTestCase

from instances.redaction import known_secrets, redactor

CANARY = "c4nary-Hunter2"
FERNET = Fernet.generate_key()


class LooksTest(SimpleTestCase):
    """S20: what is redacted without being known."""

    def setUp(self) -> None:
        self.redact = redactor(())

    def hides(self, text: str, secret: str = CANARY) -> str:
        assert secret in text
        redacted = self.redact(text)
        assert secret not in redacted, redacted
        return redacted

    def test_passwords_in_uris(self):
        redacted = self.hides(f"cannot reach mysql://u:{CANARY}@db.example:3306/d")
        assert redacted == "cannot reach mysql://u:***@db.example:3306/d"
        self.hides(f"redis://:{CANARY}@h:1, amqp://a:{CANARY}@h:2")
        self.hides(f"jdbc:mysql://h:3306/d?user=u&password={CANARY}&useSSL=false")

    def test_uris_without_a_password_stay(self):
        for text in ("https://host:8443/path?mail=a@b.example", "tcp://10.0.0.5:2375"):
            assert self.redact(text) == text

    def test_authorization_headers(self):
        for text in (
            f"Authorization: Basic {CANARY}",
            f"{{'Authorization': 'Bearer {CANARY}'}}",
            f'"HTTP_AUTHORIZATION": "Basic {CANARY}"',
            f"(b'Authorization', b'Basic {CANARY}')",
            f"authorization={CANARY}",
        ):
            self.hides(text)
        self.hides("sent Basic dXNlcjpwYXNz and", "dXNlcjpwYXNz")

    def test_what_stands_beside_a_telling_name(self):
        for text in (
            f'{{"username": "u", "password": "{CANARY}", "port": 1}}',
            f"{{'admin_secret': '{CANARY}'}}",
            f"password={CANARY}&x=1",
            f"access_token: {CANARY}",
            f"Endpoint(host='h', admin_secret='{CANARY}', port=3306)",
            f'"credentials": {{"a": "{CANARY}", "b": ["x"]}}',
            f"credentials=['x', '{CANARY}']",
            f'"password": "with \\" a quote {CANARY}"',
            f"SECRET_KEY = {CANARY}",
            f"ADMIN_PASSWORD={CANARY}",
        ):
            self.hides(text)

    def test_its_neighbours_stay(self):
        redacted = self.redact(f'{{"password": "{CANARY}", "port": 3306}}')
        assert json.loads(redacted.replace("***", '"***"')) == {
            "password": "***",
            "port": 3306,
        }

    def test_statements_that_set_a_password(self):
        for text in (
            f"CREATE USER `u` IDENTIFIED BY '{CANARY}'",
            f"IDENTIFIED VIA ed25519 USING '{CANARY}'",
            f"ALTER ROLE u PASSWORD '{CANARY}'",
            f"ACL SETUSER u on >{CANARY} ~*",
        ):
            self.hides(text)

    def test_fernet_keys_and_tokens(self):
        key = FERNET.decode()
        self.hides(f"cannot read with {key} here", key)
        token = Fernet(FERNET).encrypt(b"x").decode()
        self.hides(f"row holds {token}.", token)

    def test_private_keys(self):
        pem = (
            f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"
        )
        assert self.hides(f"a {pem} b") == "a *** b"
        self.hides(f"-----BEGIN PRIVATE KEY-----\n{CANARY} cut off")

    def test_ordinary_lines_stay(self):
        for text in (
            "operation=1b2c instance=3d4e creating the user",
            "answered 401 AuthenticationFailed: The user name or password is wrong.",
            "Access denied for user 'u'@'h' (using password: YES)",
            "host=one: no route to host tcp://10.0.0.5:2376",
            "image brokersite/mariadb:10.11 sha256:" + "ab" * 32,
            "Basic authentication is required",
        ):
            assert self.redact(text) == text

    def test_a_long_hostile_text_takes_no_time(self):
        """A client must not stop the site with a header that gets into a log line."""
        pieces = ("a", "://", "password", "password=[", "setuser ", '"\\', "a:b@")
        started_s = time.process_time()
        for piece in pieces:
            self.redact(piece * (60_000 // len(piece)))
        assert time.process_time() - started_s < 5


class KnownTest(SimpleTestCase):
    """S20: this process's own secrets, wherever they stand."""

    def test_values_are_hidden_however_they_are_written(self):
        secret = 'p/w "quoted" x'
        redact = redactor([secret])
        for text in (secret, "p%2Fw%20%22quoted%22%20x", json.dumps({"k": secret})):
            assert "quoted" not in redact(f"at {text} there")

    def test_the_longest_goes_first(self):
        assert redactor(["abcdefgh", "abcdefgh-more"])("abcdefgh-more") == "***"

    def test_short_values_are_words(self):
        assert redactor(["broker", ""])("brokersite") == "brokersite"

    def test_they_are_read_from_the_environment(self):
        found = set(
            known_secrets(
                {
                    "SECRET_KEY": "s" * 9,
                    "ENCRYPTION_KEYS": "key-one, key-two",
                    "METRICS_PASSWORD": "m",
                    "PORT": "8000",
                }
            )
        )
        assert {"s" * 9, "key-one", "key-two", "m"} <= found
        assert "8000" not in found

    def test_they_are_read_from_bound_services(self):
        credentials = {
            "hostname": "db.example",
            "password": "inner-password",
            "uri": "mysql://u:inner-password@db.example/d",
            "tls": {"private_key": "PEM"},
        }
        services = json.dumps({"p.mysql": [{"name": "n", "credentials": credentials}]})
        found = set(known_secrets({"VCAP_SERVICES": services}))
        assert {"inner-password", "PEM"} <= found
        assert not {"db.example", credentials["uri"], "n"} & found


@pytest.mark.parametrize("text", ["not json", "[]", '"x"'])
def test_odd_services_are_somebody_elses_complaint(text):
    assert list(known_secrets({"VCAP_SERVICES": text})) == []


def test_services_in_a_file_are_read(tmp_path):
    path = tmp_path / "services"
    path.write_text('{"a": [{"credentials": {"password": "in-a-file"}}]}')
    assert "in-a-file" in known_secrets({"VCAP_SERVICES_FILE_PATH": str(path)})
    assert list(known_secrets({"VCAP_SERVICES_FILE_PATH": "/nowhere"})) == []
