"""The platform's login: who is let in, and what is tried by others."""

import threading
import time
from unittest import mock
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client, override_settings

from instances.dashboard import access
from instances.logins import flow
from instances.oauth import https, provider
from tests.instances.dashboard.base import BOTH, CALLBACK, DashboardTestCase

TOKENS = ("/oauth/token",)


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class LetIn(DashboardTestCase):
    def test_who_may_manage_sees_the_page(self):
        answer = self.log_in()
        assert answer.status_code == 200
        text = answer.content.decode()
        assert "anna" in text and "How to connect" in text
        self.assert_nothing_leaked(answer)

    def test_who_may_read_sees_no_address_and_no_commands(self):
        self.provider.permissions["anna", "i-1"] = {"read": True, "manage": False}
        text = self.log_in().content.decode()
        assert "Limits and use" in text
        assert "How to connect" not in text and "What you can ask for" not in text

    def test_the_platform_is_asked_with_pkce_state_and_nonce(self):
        sent = query_of(self.page()["Location"])
        assert sent["code_challenge_method"] == "S256"
        assert sent["redirect_uri"] == CALLBACK
        assert sent["scope"] == "openid cloud_controller_service_permissions.read"
        begun = self.client.session[flow.KEY][0]
        assert sent["code_challenge"] == provider.challenge(begun["verifier"])
        assert sent["state"] != sent["nonce"]

    def test_the_client_logs_in_with_an_encoded_secret(self):
        """RFC 6749, 2.3.1, and the header without which UAA takes it as it is."""
        self.log_in()
        sent = [headers for path, headers in self.provider.asked if path in TOKENS]
        (headers,) = sent
        assert headers["X-CF-Encoded-Credentials"] == "true"

    def test_the_answer_is_believed_for_minutes(self):
        self.log_in()
        asked = len(self.provider.asked)
        assert self.page().status_code == 200
        assert len(self.provider.asked) == asked

    def test_a_permission_that_is_taken_away_counts_after_minutes(self):
        self.log_in()
        del self.provider.permissions["anna", "i-1"]
        later = time.time() + access.BELIEVED_S
        with mock.patch.object(access.time, "time", return_value=later):
            assert self.log_in().status_code == 403
        assert self.page().status_code == 302

    def test_a_login_that_came_to_nothing_is_soon_forgotten(self):
        self.page()
        assert self.client.session.get_expiry_age() <= flow.LIMIT_S
        self.log_in()
        whole = access.settings.SESSION_COOKIE_AGE
        assert self.client.session.get_expiry_age() == whole

    def test_each_service_instance_is_asked_for_anew(self):
        self.provisioned("i-2")
        self.log_in()
        assert self.page("i-2").status_code == 302
        assert self.log_in("i-2").status_code == 403
        assert self.page().status_code == 200

    def test_the_session_gets_another_key(self):
        """SECURITY S51."""
        self.page()
        before = self.client.session.session_key
        self.log_in()
        assert self.client.session.session_key != before
        assert not self.client.session.exists(before)

    def test_another_person_inherits_nothing(self):
        self.log_in()
        self.provisioned("i-2")
        self.provider.user = "bert"
        self.provider.permissions["bert", "i-2"] = BOTH
        assert self.log_in("i-2").status_code == 200
        assert self.page("i-1").status_code == 302

    def test_who_logs_out_is_out(self):
        self.log_in()
        assert self.client.post("/dashboard/logout").status_code == 200
        assert self.page().status_code == 302
        assert self.client.get("/dashboard/logout").status_code == 405

    def test_logging_out_needs_the_form_of_the_page(self):
        """SECURITY S45."""
        client = Client(enforce_csrf_checks=True)
        assert client.post("/dashboard/logout").status_code == 403

    def test_no_token_is_in_the_session(self):
        self.log_in()
        self.assert_nothing_leaked()
        assert self.client.session[flow.KEY] == []

    def test_a_client_of_the_operators_own_serves_all_offerings(self):
        login = {**access.settings.PLATFORM_LOGIN, "is_in_catalog": False}
        self.provider.clients = {"brokersite-dashboard": login["client_secret"]}
        with override_settings(PLATFORM_LOGIN=login):
            assert self.log_in().status_code == 200


class NotLetIn(DashboardTestCase):
    def test_who_has_no_permission_is_told(self):
        self.provider.user = "mallory"
        answer = self.log_in()
        assert answer.status_code == 403
        assert "may not see" in answer.content.decode()
        self.assert_nothing_leaked(answer)
        assert self.page().status_code == 302

    def test_a_permission_that_is_false_is_none(self):
        for said in (
            {"read": False, "manage": False},
            {"read": "true", "manage": 1},
            {},
        ):
            self.provider.permissions["anna", "i-1"] = {**said, "x": 1}
            assert self.log_in().status_code == 403, said

    def test_a_permission_is_for_its_own_service_instance(self):
        self.provisioned("i-2")
        self.log_in("i-1")
        assert self.log_in("i-2").status_code == 403

    def test_one_that_is_not_ours_is_not_there(self):
        """Another broker's, which the person may well manage."""
        self.provider.permissions["anna", "foreign"] = BOTH
        assert self.log_in("foreign").status_code == 404

    def test_an_id_that_would_leave_the_path_is_not_asked_for(self):
        for guid in ("../../v3/apps", "i-1/../i-1", "i-1?x=1", ".."):
            begun = self.client.get("/dashboard/instances/x")
            session = self.client.session
            session[flow.KEY][-1]["target"] = guid
            session.save()
            assert self.follow(begun).status_code == 403, guid
        assert not [path for path, _ in self.provider.asked if path.startswith("/v3")]

    def test_another_state_is_refused(self):
        location = self.provider.visit(self.page()["Location"])
        sent = query_of(location)
        for state in ("", "x" * 43, sent["state"] + "x"):
            forged = f"{CALLBACK}?{urlencode({**sent, 'state': state})}"
            answer = self.back(forged)
            assert answer.status_code == 403 and not self.provider.tokens
            assert "not begun in this browser" in answer.content.decode()

    def test_the_answer_of_another_browser_is_refused(self):
        """An attacker's code in a victim's browser, and a stolen one in a thief's."""
        location = self.provider.visit(self.page()["Location"])
        other = Client()
        self.page(client=other)
        assert self.back(location, other).status_code == 403
        assert self.page(client=other).status_code == 302
        assert not self.provider.tokens

    def test_an_answer_counts_once(self):
        location = self.provider.visit(self.page()["Location"])
        assert self.back(location).status_code == 302
        assert self.back(location).status_code == 403
        assert len(self.provider.tokens) == 1

    def test_a_code_counts_once(self):
        first = query_of(self.provider.visit(self.page()["Location"]))
        second = query_of(self.provider.visit(self.page()["Location"]))
        replayed = urlencode({"code": first["code"], "state": second["state"]})
        # The other login's verifier does not fit: PKCE.
        assert self.back(f"{CALLBACK}?{replayed}").status_code == 403
        assert not self.provider.tokens

    def test_an_answer_that_comes_late_is_refused(self):
        location = self.provider.visit(self.page()["Location"])
        later = time.time() + flow.LIMIT_S
        with mock.patch.object(flow.time, "time", return_value=later):
            assert self.back(location).status_code == 403

    def test_who_declines_is_told(self):
        self.provider.user = ""
        answer = self.log_in()
        assert answer.status_code == 403
        assert "cancelled" in answer.content.decode()

    def test_a_wrong_secret_is_refused_without_telling_it(self):
        self.provider.clients = dict.fromkeys(self.provider.clients, "another")
        answer = self.log_in()
        assert answer.status_code == 403
        assert any("invalid_client" in line for line in self.logged)
        self.assert_nothing_leaked(answer)

    def test_the_address_of_the_request_leads_nowhere(self):
        """No Host header and no parameter says where one comes back to."""
        answer = self.client.get(
            self.path() + "?next=https://evil.example",
            headers={"Host": "broker.example.com", "X-Forwarded-Host": "evil.example"},
        )
        assert query_of(answer["Location"])["redirect_uri"] == CALLBACK
        location = self.provider.visit(answer["Location"])
        answer = self.back(f"{location}&next=https://evil.example/&target=//evil")
        assert answer["Location"] == self.path()

    def test_a_guid_that_looks_like_an_address_stays_here(self):
        for guid in ("/evil.example", "//evil.example/x", "https://evil.example"):
            assert self.path(guid).startswith("/dashboard/instances/")


class Trouble(DashboardTestCase):
    def test_a_provider_that_is_down_is_told_of(self):
        for path in ("/.well-known", "/oauth/token", "/v3/", "/token_keys"):
            provider.forget()
            self.provider.fail = set()
            if path != "/.well-known":
                begun = self.page()
            self.provider.fail = {path}
            answer = self.page() if path == "/.well-known" else self.follow(begun)
            assert answer.status_code == 503, path
            assert "try this page again" in answer.content.decode()
            self.assert_nothing_leaked(answer)

    def test_one_that_hangs_holds_few_threads(self):
        """The platform's own requests need the others."""
        hanging = threading.BoundedSemaphore(1)
        hanging.acquire()
        with (
            mock.patch.object(https, "_SLOTS", hanging),
            mock.patch.object(https, "WAIT_S", 0),
        ):
            assert self.page().status_code == 503
        for _ in range(3):  # what has been taken is given back
            provider.forget()
            assert self.page().status_code == 302

    def test_another_ca_is_not_believed(self):
        """SECURITY: no token goes to who cannot prove that it is the platform."""
        login = {**access.settings.PLATFORM_LOGIN, "ca": ""}
        with override_settings(PLATFORM_LOGIN=login):
            provider.forget()
            assert self.page().status_code == 503
        assert not self.provider.asked

    def test_a_configuration_without_tls_is_not_used(self):
        plain = {**self.provider.configuration(), "token_endpoint": "http://h/token"}
        with mock.patch.object(self.provider, "configuration", return_value=plain):
            assert self.page().status_code == 503
