from unittest import mock

from django.db import connection
from django.http import HttpResponse
from django.test import (
    Client,
    RequestFactory,
    SimpleTestCase,
    TestCase,
    override_settings,
)

from brokersite.middleware import ClientAddressMiddleware
from tests.osbapi.base import BODY, PASSWORD, USERNAME, PlatformTestCase, basic

BROWSER_HEADERS = {"Content-Security-Policy", "X-Frame-Options", "Set-Cookie"}


class HealthTest(SimpleTestCase):
    def test_it_is_200_whatever_host_is_asked_for(self):
        """FACTS §9: Cloud Foundry names the container's IP address."""
        for host in ("10.255.1.2:8080", "nonsense.example", "[::1]:80"):
            answer = self.client.get("/healthz", headers={"host": host})
            assert (answer.status_code, answer.content) == (200, b"ok\n")

    def test_it_needs_no_database(self):
        """It says that the process lives; /readyz says whether it can work."""
        with mock.patch.object(connection, "ensure_connection", side_effect=OSError):
            assert self.client.get("/healthz").status_code == 200

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_it_is_not_redirected_to_https(self):
        assert self.client.get("/healthz").status_code == 200

    def test_other_pages_of_a_foreign_host_are_400(self):
        answer = self.client.get("/admin/login/", headers={"host": "foreign.example"})
        assert answer.status_code == 400


class ClientAddressTest(SimpleTestCase):
    """S40: a client cannot choose the address that its guesses are counted under."""

    def address(self, forwarded: str | None, hops: int) -> str:
        request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1")
        if forwarded is not None:
            request.META["HTTP_X_FORWARDED_FOR"] = forwarded
        with override_settings(FORWARDED_HOPS=hops):
            ClientAddressMiddleware(lambda _: HttpResponse())(request)
        return request.META["REMOTE_ADDR"]

    def test_without_a_router_the_header_counts_for_nothing(self):
        assert self.address("203.0.113.9", hops=0) == "10.0.0.1"

    def test_the_router_s_own_entry_is_the_last_one(self):
        assert self.address("198.51.100.1, 203.0.113.9", hops=1) == "203.0.113.9"

    def test_of_two_routers_the_first_one_s_entry_counts(self):
        forged = "1.2.3.4, 203.0.113.9, 10.0.0.7"
        assert self.address(forged, hops=2) == "203.0.113.9"

    def test_a_request_that_came_past_the_routers_keeps_its_address(self):
        assert self.address(None, hops=1) == "10.0.0.1"
        assert self.address("203.0.113.9", hops=2) == "10.0.0.1"
        assert self.address(" ", hops=1) == "10.0.0.1"


class PlatformPathTest(PlatformTestCase):
    """Browser middleware stays off /v2."""

    def test_a_put_needs_no_csrf_token(self):
        client = Client(enforce_csrf_checks=True)
        headers = {
            "Authorization": basic(USERNAME, PASSWORD),
            "X-Broker-API-Version": "2.15",
        }
        path = "/v2/service_instances/i-1?accepts_incomplete=true"
        answer = client.put(path, BODY, "application/json", headers=headers)
        assert answer.status_code == 202

    def test_no_cookie_and_no_policy_for_browsers_is_sent(self):
        assert not BROWSER_HEADERS & set(self.get("/v2/catalog").headers)

    def test_a_cookie_is_not_read(self):
        answer = self.get("/v2/catalog", headers={"Cookie": "sessionid=nonsense"})
        assert "Vary" not in answer.headers or "Cookie" not in answer["Vary"]

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_it_is_not_redirected_to_https(self):
        """S41."""
        assert self.get("/v2/catalog").status_code == 200

    def test_a_registered_trailing_slash_is_served(self):
        """CLOUD-CONTROLLER §1: //v2/catalog."""
        answer = self.get(
            "/v2/catalog", PATH_INFO="//v2/catalog", RAW_URI="//v2/catalog"
        )
        assert answer.status_code == 200
        assert not BROWSER_HEADERS & set(answer.headers)

    def test_a_prefix_of_the_proxy_is_served(self):
        """OSB-CHECKLIST 8."""
        assert self.get("/v2/catalog", SCRIPT_NAME="/prefix").status_code == 200

    def test_a_foreign_host_name_is_no_obstacle(self):
        answer = self.get("/v2/catalog", headers={"Host": "10.0.0.1:61001"})
        assert answer.status_code == 200


class BrowserPathTest(TestCase):
    def test_the_console_has_its_policies(self):
        """S46."""
        answer = self.client.get("/admin/login/")
        assert answer.status_code == 200
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_the_console_wants_a_csrf_token(self):
        """S45."""
        client = Client(enforce_csrf_checks=True)
        answer = client.post("/admin/login/", {"username": "a", "password": "b"})
        assert answer.status_code == 403

    def test_the_root_leads_to_the_console(self):
        answer = self.client.get("/")
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")

    def test_unknown_pages_are_404_for_browsers(self):
        for path in ("/nonsense", "/v2", "/v2x/catalog", "/V2/catalog"):
            answer = self.client.get(path)
            assert answer.status_code == 404
            assert answer["Content-Type"].startswith("text/html")
