"""A service instance, and the platform that knows who may see it."""

from django.test import override_settings
from django.urls import reverse

from tests.fakes import OFFERING_ID
from tests.instances.base import DomainTestCase
from tests.instances.logins.base import SECRET, SITE, WithProvider

CLIENT = f"brokersite-dashboard-{OFFERING_ID}"
CALLBACK = f"{SITE}/dashboard/login"
BOTH = {"read": True, "manage": True}


class DashboardTestCase(WithProvider, DomainTestCase):
    """Anna may manage i-1, and is logged in at the platform."""

    def setUp(self) -> None:
        super().setUp()
        self.provider.clients[CLIENT] = SECRET
        self.provider.redirect_uris.add(CALLBACK)
        self.provider.permissions["anna", "i-1"] = BOTH
        login = {
            "uaa_url": self.provider.url,
            "api_url": self.provider.url,
            "client_id": "brokersite-dashboard",
            "client_secret": SECRET,
            "is_in_catalog": True,
            "ca": self.provider.ca,
        }
        self.enterContext(override_settings(PLATFORM_LOGIN=login))
        self.instance = self.provisioned("i-1")

    def page(self, guid="i-1", client=None):
        return (client or self.client).get(self.path(guid))

    def path(self, guid="i-1"):
        return reverse("dashboard:instance", args=[guid])

    def log_in(self, guid="i-1", client=None):
        """By way of the platform; the page, or what stands in its place."""
        answer = self.follow(self.page(guid, client), client)
        if answer.status_code == 302:
            assert answer["Location"] == self.path(guid)
            answer = self.page(guid, client)
        return answer
