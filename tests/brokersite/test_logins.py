"""The settings of persons' logins: what is wrong is named, with the cure."""

import json

from django.test import SimpleTestCase

from tests.brokersite.certificates import Authority
from tests.brokersite.test_environment import load, refusal

SECRET = "a-secret-of-the-client"
PLATFORM = {
    "UAA_URL": "https://uaa.example.com/",
    "CF_API_URL": "https://api.example.com",
    "DASHBOARD_CLIENT_SECRET": SECRET,
}
OPERATORS = {
    "OIDC_ISSUER": "https://id.example.com/realms/a/",
    "OIDC_CLIENT_SECRET": SECRET,
    "OIDC_ADMINISTRATORS": "db-admins root",
}


class Platform(SimpleTestCase):
    def test_there_is_none_unless_it_is_named(self):
        assert load().logins.platform is None

    def test_is_read(self):
        found = load(**PLATFORM).logins.platform
        assert found.uaa_url == "https://uaa.example.com"
        assert found.client_id == "brokersite-dashboard"
        assert found.is_in_catalog and found.ca == ""
        assert SECRET not in repr(found)

    def test_the_platform_tells_its_own_address(self):
        told = {"cf_api": "https://api.told.example", "application_uris": ["a.example"]}
        given = {k: v for k, v in PLATFORM.items() if k != "CF_API_URL"}
        source = {
            **given,
            "VCAP_APPLICATION": json.dumps(told),
            "DATABASE_URI": "mysql://u:p@h/n",
        }
        assert load(**source).logins.platform.api_url == "https://api.told.example"
        wins = load(**source, CF_API_URL="https://api.example.com").logins.platform
        assert wins.api_url == "https://api.example.com"

    def test_what_is_missing_is_named(self):
        for name in ("CF_API_URL", "DASHBOARD_CLIENT_SECRET"):
            assert name in refusal(**{**PLATFORM, name: ""})
        assert "short" in refusal(**{**PLATFORM, "DASHBOARD_CLIENT_SECRET": "x"})

    def test_nothing_but_https_will_do(self):
        """Codes and tokens are sent there."""
        for address in (
            *("http://uaa.example.com", "uaa.example.com", "https://", "https://h:x"),
            *("https://u:p@uaa.example.com", "https://uaa.example.com?x=1"),
        ):
            message = refusal(**{**PLATFORM, "UAA_URL": address})
            assert "UAA_URL is" in message and "https://HOST" in message, address

    def test_odd_ids_and_choices_are_named(self):
        for name, text in (
            ("DASHBOARD_CLIENT_ID", "a b"),
            ("DASHBOARD_CLIENT_IN_CATALOG", "maybe"),
            ("CF_CA", "nonsense"),
        ):
            assert name in refusal(**{**PLATFORM, name: text}), name

    def test_a_ca_may_be_one_line(self):
        pem = Authority().pem
        assert load(**PLATFORM, CF_CA=pem).logins.platform.ca == pem
        folded = pem.replace("\n", "\\n")
        assert load(**PLATFORM, CF_CA=folded).logins.platform.ca == pem


class Operators(SimpleTestCase):
    def test_there_is_none_unless_it_is_named(self):
        logins = load().logins
        assert logins.operators is None and logins.is_local_allowed

    def test_is_read(self):
        found = load(**OPERATORS, OIDC_VIEWERS="staff").logins.operators
        # To the letter: tokens name it so.
        assert found.issuer == "https://id.example.com/realms/a/"
        assert found.roles == {
            "viewer": ["staff"],
            "operator": [],
            "administrator": ["db-admins", "root"],
        }
        assert SECRET not in repr(found)

    def test_what_is_missing_is_named(self):
        assert "OIDC_CLIENT_SECRET" in refusal(
            **{**OPERATORS, "OIDC_CLIENT_SECRET": ""}
        )
        message = refusal(**{**OPERATORS, "OIDC_ADMINISTRATORS": ""})
        assert "OIDC_ADMINISTRATORS is missing" in message and "OIDC_VIEWERS" in message
        assert "openid" in refusal(**OPERATORS, OIDC_SCOPES="profile")

    def test_nobody_shuts_everybody_out(self):
        assert "OIDC_ISSUER" in refusal(LOCAL_LOGIN="0")
        assert not load(**OPERATORS, LOCAL_LOGIN="0").logins.is_local_allowed


class Others(SimpleTestCase):
    def test_secrets_may_be_in_the_secrets_service(self):
        held = {"DASHBOARD_CLIENT_SECRET": SECRET, "OIDC_CLIENT_SECRET": SECRET}
        bound = {"name": "brokersite-secrets", "credentials": held}
        source = {
            **{k: v for k, v in {**PLATFORM, **OPERATORS}.items() if k not in held},
            "VCAP_SERVICES": json.dumps({"user-provided": [bound]}),
        }
        logins = load(**source).logins
        assert logins.platform.client_secret == logins.operators.client_secret == SECRET

    def test_idle_minutes_are_bounded(self):
        """SECURITY S51."""
        assert load().logins.idle_minutes == 30
        assert load(SESSION_IDLE_MINUTES="5").logins.idle_minutes == 5
        for minutes in ("0", "1441", "soon"):
            assert "SESSION_IDLE_MINUTES" in refusal(SESSION_IDLE_MINUTES=minutes)

    def test_links_are_given_where_the_address_was_said(self):
        assert not load().is_public
        assert load(PUBLIC_URL="https://broker.example.com").is_public
