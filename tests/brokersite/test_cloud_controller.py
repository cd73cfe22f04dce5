"""The settings of the client that asks Cloud Controller."""

import json

from django.test import SimpleTestCase

from tests.brokersite.test_environment import load, refusal

SECRET = "a-secret-of-the-client"
GIVEN = {
    "UAA_URL": "https://uaa.example.com/",
    "CF_API_URL": "https://api.example.com",
    "CF_CLIENT_SECRET": SECRET,
}


class Read(SimpleTestCase):
    def test_there_is_none_without_a_secret(self):
        assert load().cloud_controller is None

    def test_is_read(self):
        found = load(**GIVEN).cloud_controller
        assert found.api_url == "https://api.example.com"
        assert found.uaa_url == "https://uaa.example.com"
        assert found.client_id == "brokersite-lookup"
        assert found.interval_s == 900
        assert SECRET not in repr(found)

    def test_uaa_is_then_no_login_of_app_developers_by_itself(self):
        assert load(**GIVEN).logins.platform is None
        both = load(**GIVEN, DASHBOARD_CLIENT_SECRET=f"{SECRET}-2")
        assert both.logins.platform and both.cloud_controller

    def test_the_platform_tells_its_own_address(self):
        told = {"cf_api": "https://api.told.example", "application_uris": ["a.example"]}
        given = {k: v for k, v in GIVEN.items() if k != "CF_API_URL"}
        found = load(
            **given, VCAP_APPLICATION=json.dumps(told), DATABASE_URI="mysql://u:p@h/n"
        )
        assert found.cloud_controller.api_url == "https://api.told.example"

    def test_the_secret_may_be_in_the_secrets_service(self):
        secrets = {"CF_CLIENT_SECRET": SECRET}
        service = {"name": "brokersite-secrets", "credentials": secrets}
        bound = json.dumps({"user-provided": [service]})
        given = {k: v for k, v in GIVEN.items() if k != "CF_CLIENT_SECRET"}
        found = load(**given, VCAP_SERVICES=bound).cloud_controller
        assert found.client_secret == SECRET

    def test_what_is_wrong_is_named(self):
        for name, text in (
            *(("CF_API_URL", ""), ("UAA_URL", ""), ("CF_CLIENT_SECRET", "x")),
            *(("CF_API_URL", "http://api.example.com"), ("CF_CLIENT_ID", "a b")),
            *(("CF_LOOKUP_MINUTES", "0"), ("CF_CA", "nonsense")),
        ):
            assert name in refusal(**{**GIVEN, name: text}), name
