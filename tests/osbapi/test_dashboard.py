"""What platforms are told of the dashboard (CLOUD-CONTROLLER §8)."""

from django.test import override_settings

from instances.models import ServiceOffering
from instances.operations.catalog import catalog_document
from osbapi import responses
from tests.fakes import OFFERING_ID
from tests.osbapi.base import IDS, PlatformTestCase

SITE = "https://broker.example.com"
LOGIN = {
    "uaa_url": "https://uaa.example.com",
    "api_url": "https://api.example.com",
    "client_id": "brokersite-dashboard",
    "client_secret": "canary-secret",
    "is_in_catalog": True,
    "ca": "",
}


class Known(PlatformTestCase):
    """Others know the site's address, and there is a login."""

    def setUp(self):
        super().setUp()
        known = override_settings(
            PUBLIC_URL=SITE, DASHBOARD_URL=f"{SITE}/dashboard", PLATFORM_LOGIN=LOGIN
        )
        self.enterContext(known)
        responses.catalogs.forget_all()

    def offering(self):
        (offering,) = self.get("/v2/catalog").json()["services"]
        return offering


class URL(Known):
    def url(self, guid="i-1"):
        return f"{SITE}/dashboard/instances/{guid}"

    def test_is_in_every_answer_that_may_have_it(self):
        """OSB-CHECKLIST 78."""
        first = self.put()
        assert first.status_code == 202
        assert first.json()["dashboard_url"] == self.url()
        again = self.put()
        assert (again.status_code, again.json()["dashboard_url"]) == (202, self.url())
        self.ready("i-2")
        repeated = self.put("i-2")
        assert repeated.status_code == 200
        assert repeated.json()["dashboard_url"] == self.url("i-2")
        fetched = self.get("/v2/service_instances/i-2")
        assert fetched.json()["dashboard_url"] == self.url("i-2")

    def test_is_not_in_the_answer_to_a_deprovision(self):
        self.ready()
        assert "dashboard_url" not in self.delete().json()

    def test_holds_any_id_encoded(self):
        document = self.put("a/b c?#%2F").json()
        assert document["dashboard_url"] == self.url("a%2Fb%20c%3F%23%252F")

    @override_settings(PATH_PREFIX="/p", DASHBOARD_URL="https://h.example/p/dashboard")
    def test_is_below_the_prefix(self):
        url = self.put().json()["dashboard_url"]
        assert url == "https://h.example/p/dashboard/instances/i-1"

    @override_settings(DASHBOARD_URL="")
    def test_is_left_out_where_nobody_has_said_the_sites_address(self):
        """Cloud Controller takes a null for malformed."""
        assert "dashboard_url" not in self.put().json()

    def test_update_says_it_too(self):
        self.ready()
        path = self.path("i-1", True)
        answer = self.call("PATCH", path, {**IDS, "parameters": {}})
        assert answer.json()["dashboard_url"] == self.url()


class ClientInTheCatalog(Known):
    def test_has_what_cloud_controller_asks_for(self):
        """OSB-CHECKLIST 52: it requires redirect_uri too."""
        assert self.offering()["dashboard_client"] == {
            "id": f"brokersite-dashboard-{OFFERING_ID}",
            "secret": "canary-secret",
            "redirect_uri": f"{SITE}/dashboard/login",
        }

    def test_no_two_offerings_share_an_id(self):
        """It would refuse the catalog; and an id has no odd characters."""
        for number, pk in enumerate(("a/b", "a b", "x" * 255)):
            row = ServiceOffering.objects.create(
                id=pk, name=f"o-{number}", description="d", engine="mariadb"
            )
            self.plan.pk, self.plan.offering = f"p-{number}", row
            self.plan.save(force_insert=True)
        responses.catalogs.forget_all()
        offerings = self.get("/v2/catalog").json()["services"]
        ids = [offering["dashboard_client"]["id"] for offering in offerings]
        assert len(set(ids)) == len(ids) == 4
        assert all(len(name) < 255 and "/" not in name for name in ids)

    def test_is_left_out_where_the_operator_makes_it(self):
        with override_settings(PLATFORM_LOGIN={**LOGIN, "is_in_catalog": False}):
            assert "dashboard_client" not in self.offering()

    @override_settings(DASHBOARD_URL="")
    def test_is_left_out_where_nobody_has_said_the_sites_address(self):
        assert "dashboard_client" not in self.offering()

    def test_is_not_shown_in_the_consoles_preview(self):
        assert "canary-secret" not in str(catalog_document())
