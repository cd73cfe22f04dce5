import base64
from unittest import mock

import pytest

from instances.models import BrokerCredential, ServiceInstance
from osbapi import authentication
from tests.osbapi.base import PASSWORD, USERNAME, PlatformTestCase, basic

ROUTES = [
    ("GET", "/v2/catalog"),
    ("PUT", "/v2/service_instances/i-1"),
    ("DELETE", "/v2/service_instances/i-1"),
    ("GET", "/v2/service_instances/i-1/last_operation"),
    ("PUT", "/v2/service_instances/i-1/service_bindings/b-1"),
    ("DELETE", "/v2/service_instances/i-1/service_bindings/b-1"),
    ("GET", "/v2/no/such/path"),
    ("PATCH", "/v2/service_instances/i-1"),
    ("GET", "/v2/service_instances/i-1"),
    ("GET", "/v2/service_instances/i-1/service_bindings/b-1"),
    ("GET", "/v2/service_instances/i-1/service_bindings/b-1/last_operation"),
    ("OPTIONS", "/v2/catalog"),
    ("HEAD", "/v2/catalog"),
    ("POST", "/v2/catalog"),
]
WRONG = {
    "missing": None,
    "empty": "",
    "another scheme": "Bearer token",
    "no credentials": "Basic",
    "not Base64": "Basic @@@",
    "no colon": "Basic " + base64.b64encode(b"platform").decode(),
    "too many parts": "Basic a b c",
    "not UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "empty user": basic("", PASSWORD),
    "empty password": basic(USERNAME, ""),
    "wrong password": basic(USERNAME, "wrong"),
    "wrong user": basic("nobody", PASSWORD),
    "another letter case": basic(USERNAME.upper(), PASSWORD),
    "a NUL in it": basic(USERNAME + "\0", PASSWORD),
    "very long": basic("x" * 10_000, PASSWORD),
}


class AuthenticationTest(PlatformTestCase):
    """OSB-CHECKLIST 24, 25, 27, 21.2, S26: before anything else is read."""

    def setUp(self) -> None:
        super().setUp()
        # What is refused costs a slow hash each time: that is another test's fact.
        check = mock.patch.object(authentication, "check_password", return_value=False)
        self.check_password = self.enterContext(check)
        self.enterContext(mock.patch("instances.guesses.ALLOWED", 10**6))

    def test_every_route_refuses_every_wrong_login(self):
        for method, path in ROUTES:
            for what, header in WRONG.items():
                with self.subTest(f"{method} {path}: {what}"):
                    headers = {"Authorization": header, "X-Broker-API-Version": None}
                    answer = self.call(method, path, headers=headers)
                    assert answer.status_code == 401
                    assert answer["WWW-Authenticate"].startswith("Basic ")
        assert not ServiceInstance.objects.exists()

    def test_an_unknown_user_costs_as_much_as_a_wrong_password(self):
        """S27."""
        for header in (basic("nobody", "x"), basic(USERNAME, "x")):
            self.get("/v2/catalog", headers={"Authorization": header})
        hashes = [call.args[1] for call in self.check_password.call_args_list]
        assert len(hashes) == 2
        assert all(stored.startswith("scrypt$") for stored in hashes)


class LoginTest(PlatformTestCase):
    def status(self, username: str = USERNAME, password: str = PASSWORD) -> int:
        headers = {"Authorization": basic(username, password)}
        return self.get("/v2/catalog", headers=headers).status_code

    def test_the_right_login_is_served(self):
        assert self.status() == 200

    def test_the_slow_hash_is_computed_once(self):
        """S27: a platform polls thousands of times an hour."""
        BrokerCredential.objects.update(proof="")  # as after a change of SECRET_KEY
        self.status()
        with mock.patch.object(authentication, "check_password") as check:
            assert self.status() == 200
        check.assert_not_called()

    def test_a_withdrawn_login_is_refused(self):
        """S29; how soon: test_fresh.py."""
        assert self.status() == 200
        BrokerCredential.objects.update(active=False)
        assert self.status() == 401

    def test_a_deleted_login_is_refused(self):
        assert self.status() == 200
        BrokerCredential.objects.all().delete()
        assert self.status() == 401

    def test_a_changed_password_counts(self):
        assert self.status() == 200
        self.login.set_password("another")
        self.login.save()
        assert self.status() == 401
        assert self.status(password="another") == 200

    def test_two_logins_are_valid_at_once(self):
        """S29: so that they can be rotated."""
        second = BrokerCredential(username="second")
        second.set_password("second")
        second.save()
        assert self.status() == self.status("second", "second") == 200

    def test_a_failing_check_refuses(self):
        """S43."""
        with (
            mock.patch.object(BrokerCredential, "knows", return_value=False),
            mock.patch.object(authentication, "check_password", side_effect=OSError),
            self.assertLogs("osbapi.errors", "ERROR"),
        ):
            assert self.status() == 500


def test_a_platform_knows_its_user():
    assert authentication.Platform("cf").is_authenticated
    with pytest.raises(AttributeError):
        authentication.Platform("cf").username = "other"
