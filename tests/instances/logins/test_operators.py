"""Operators who log in at a provider: whom it lets in, with which roles."""

import base64
import hmac
import json
import time
from unittest import mock
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client, TestCase, override_settings
from django.urls import reverse
from joserfc.jwk import RSAKey

from instances.logins import operators
from instances.models import AuditEvent, OperatorIdentity
from instances.oauth import provider
from tests.instances.admin.made_roles import make_roles
from tests.instances.logins.base import SECRET, SITE, WithProvider

CALLBACK = f"{SITE}/login/callback"
INDEX = reverse("admin:index")
BEGIN = reverse("logins:begin")
USERS = get_user_model().objects


def encoded(part):
    text = base64.urlsafe_b64encode(json.dumps(part).encode())
    return text.rstrip(b"=").decode()


class OperatorsTestCase(WithProvider, TestCase):
    """Anna is in the group that administers."""

    def setUp(self):
        super().setUp()
        make_roles()
        self.provider.clients["console"] = SECRET
        self.provider.redirect_uris.add(CALLBACK)
        self.groups("anna", "db-admins")
        self.login = {
            "issuer": self.provider.issuer,
            "client_id": "console",
            "client_secret": SECRET,
            "scopes": "openid profile",
            "username_claim": "user_name",
            "roles_claim": "groups",
            "roles": {
                "viewer": ["staff"],
                "operator": ["db-operators"],
                "administrator": ["db-admins", "root"],
            },
            "ca": self.provider.ca,
        }
        self.enterContext(override_settings(OPERATOR_LOGIN=self.login))

    def groups(self, name, *groups):
        self.provider.people[name] = {"groups": list(groups)}

    def log_in(self, client=None, **query):
        client = client or self.client
        return self.follow(client.get(f"{BEGIN}?{urlencode(query)}"), client)

    def roles(self, name="anna"):
        groups = USERS.get(username=name).groups
        return set(groups.values_list("name", flat=True))


class LetIn(OperatorsTestCase):
    def test_with_the_role_of_the_group(self):
        answer = self.log_in()
        assert answer.status_code == 302 and answer["Location"] == INDEX
        assert self.client.get(INDEX).status_code == 200
        assert self.roles() == {"administrator"}
        user = USERS.get(username="anna")
        assert user.is_staff and not user.is_superuser
        assert not user.has_usable_password()
        self.assert_nothing_leaked(answer)

    def test_to_the_page_that_was_wanted_if_it_is_ours(self):
        wanted = reverse("admin:instances_operation_changelist")
        assert self.log_in(next=wanted)["Location"] == wanted
        for evil in ("https://evil.example/", "//evil.example", "javascript:x", "/\\e"):
            assert self.log_in(Client(), next=evil)["Location"] == INDEX

    def test_the_same_person_is_the_same_user_under_another_name(self):
        self.log_in()
        self.provider.people["anna"]["user_name"] = "anna.new"
        self.log_in(Client())
        assert USERS.count() == 1 and OperatorIdentity.objects.count() == 1

    def test_roles_are_those_of_each_login(self):
        self.log_in()
        self.groups("anna", "staff", "db-operators", "unknown")
        self.log_in()
        assert self.roles() == {"viewer", "operator"}
        changes = [event.changes for event in AuditEvent.objects.order_by("pk")]
        assert changes == [
            {"roles": [[], ["administrator"]]},
            {"roles": [["administrator"], ["operator", "viewer"]]},
        ]

    def test_another_role_logs_other_browsers_out(self):
        other = Client()
        self.log_in(other)
        self.log_in()
        assert other.get(INDEX).status_code == 200
        self.groups("anna", "staff")
        self.log_in()
        assert other.get(INDEX).status_code == 302
        assert self.client.get(INDEX).status_code == 200

    def test_groups_of_the_consoles_own_stay(self):
        self.log_in()
        own = Group.objects.create(name="night shift")
        USERS.get(username="anna").groups.add(own)
        self.groups("anna", "staff")
        self.log_in()
        assert self.roles() == {"viewer", "night shift"}

    def test_groups_may_be_words_in_one_text(self):
        """As UAA's scopes."""
        self.provider.people["anna"] = {"groups": "openid db-operators"}
        self.log_in()
        assert self.roles() == {"operator"}

    def test_the_session_gets_another_key(self):
        """SECURITY S51."""
        answer = self.client.get(BEGIN)
        before = self.client.session.session_key
        self.follow(answer)
        assert self.client.session.session_key != before
        assert not self.client.session.exists(before)

    def test_keys_that_the_provider_has_changed_are_read_anew(self):
        self.log_in()
        self.provider.new_key()
        with mock.patch.object(provider, "AGAIN_S", 0.0):
            assert self.log_in(Client()).status_code == 302


class NotLetIn(OperatorsTestCase):
    def refused(self, **changes):
        """The login with an ID token that has these claims; None leaves one out."""

        def alter(claims):
            changed = {**claims, **changes}
            return {name: value for name, value in changed.items() if value is not None}

        self.provider.alter = alter
        return self.is_refused()

    def is_refused(self):
        client = Client()
        answer = self.log_in(client)
        is_out = client.get(INDEX).status_code == 302
        self.assert_nothing_leaked(answer)
        return answer.status_code == 403 and is_out and not USERS.exists()

    def test_what_an_id_token_says_has_to_be_right(self):
        now = int(time.time())
        assert self.refused(aud=["another"])
        assert self.refused(aud="consol")
        assert self.refused(aud=None)
        assert self.refused(aud=["console", "another"], azp="another")
        assert self.refused(iss="https://evil.example")
        assert self.refused(iss=None)
        assert self.refused(nonce="another")
        assert self.refused(nonce=None)
        assert self.refused(exp=now - provider.LEEWAY_S - 1)
        assert self.refused(exp=None)
        assert self.refused(nbf=now + provider.LEEWAY_S + 60)
        assert self.refused(sub=None)
        assert self.refused(sub=["anna"])

    def test_who_signs_it_has_to_be_the_provider(self):
        stranger = RSAKey.generate_key(2048)
        self.provider.sign = lambda claims: self.provider.signed(claims, stranger)
        assert self.is_refused()

    def test_it_has_to_be_signed(self):
        self.provider.sign = lambda claims: (
            f"{encoded({'alg': 'none'})}.{encoded(claims)}."
        )
        assert self.is_refused()

    def test_a_key_that_is_public_signs_nothing_as_a_secret(self):
        for secret in (self.provider.key.as_pem(private=False), SECRET.encode()):

            def signed(claims, secret=secret):
                header = {"alg": "HS256", "kid": self.provider.key.kid}
                text = f"{encoded(header)}.{encoded(claims)}"
                made = hmac.new(secret, text.encode(), "sha256").digest()
                return f"{text}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

            self.provider.sign = signed
            assert self.is_refused()

    def test_what_is_no_token_at_all_is_refused(self):
        for text in ("", "a.b", "a.b.c", "{}"):
            self.provider.sign = lambda claims, text=text: text
            assert self.is_refused(), text

    def test_without_a_role(self):
        for groups in ([], ["db-admin"], ["DB-ADMINS"], {"a": 1}, [["root"]], 7):
            self.provider.people["anna"] = {"groups": groups}
            answer = self.log_in(Client())
            assert answer.status_code == 403, groups
            assert "no role" in answer.content.decode()
        assert not USERS.exists()

    def test_who_has_lost_every_role_loses_the_sessions_too(self):
        self.log_in()
        self.groups("anna")
        assert self.log_in(Client()).status_code == 403
        assert self.roles() == set() and not USERS.get().is_staff
        assert self.client.get(INDEX).status_code == 302

    def test_who_is_switched_off_in_the_console(self):
        self.log_in()
        USERS.update(is_active=False)
        assert self.log_in(Client()).status_code == 403

    def test_a_name_does_not_make_somebody_the_local_user_of_that_name(self):
        """SECURITY S47: names at a provider may be chosen by their owners."""
        local = USERS.create_superuser("Anna", password="x")
        self.log_in()
        local.refresh_from_db()
        assert local.is_superuser and not local.groups.exists()
        made = OperatorIdentity.objects.get().user
        assert made != local and made.username.startswith("anna ")

    def test_a_state_of_the_dashboard_is_none_of_this_login(self):
        location = self.provider.visit(self.client.get(BEGIN)["Location"])
        assert self.back(
            location.replace(CALLBACK, f"{SITE}/dashboard/login")
        ).status_code in (403, 404)
        assert not self.provider.tokens

    def test_a_provider_that_is_down_is_told_of(self):
        self.provider.fail = {"/oauth/token"}
        assert self.client.get(BEGIN).status_code == 503
        self.provider.fail = set()

    def test_a_configuration_of_another_issuer_is_not_used(self):
        other = {**self.provider.configuration(), "issuer": "https://evil.example"}
        with mock.patch.object(self.provider, "configuration", return_value=other):
            assert self.client.get(BEGIN).status_code == 503

    @override_settings(OPERATOR_LOGIN={})
    def test_nothing_is_there_where_no_provider_is_configured(self):
        assert self.client.get(BEGIN).status_code == 404
        assert self.client.get(reverse("logins:callback")).status_code == 404


class Passwords(OperatorsTestCase):
    def setUp(self):
        super().setUp()
        self.user = USERS.create_superuser("olga", password="the password")

    def post(self):
        form = {"username": "olga", "password": "the password"}
        return self.client.post(reverse("admin:login"), form)

    def test_can_be_kept_beside_the_provider(self):
        text = self.client.get(reverse("admin:login")).content.decode()
        assert BEGIN in text and 'name="password"' in text
        assert self.post().status_code == 302

    @override_settings(LOCAL_LOGIN=False)
    def test_can_be_switched_off(self):
        text = self.client.get(reverse("admin:login")).content.decode()
        assert BEGIN in text and 'name="password"' not in text
        answer = self.post()
        assert answer.status_code == 200 and "switched off" in answer.content.decode()
        assert self.client.get(INDEX).status_code == 302

    @override_settings(OPERATOR_LOGIN={})
    def test_stand_alone_without_one(self):
        assert BEGIN not in self.client.get(reverse("admin:login")).content.decode()

    def test_are_none_for_who_comes_from_the_provider(self):
        self.log_in()
        self.client.logout()
        for password in ("", "!", USERS.get(username="anna").password):
            form = {"username": "anna", "password": password}
            assert self.client.post(reverse("admin:login"), form).status_code == 200


class AtOnce(OperatorsTestCase):
    def test_two_first_logins_make_one_user(self):
        """The second one has not seen the first one's row, and runs into its key."""
        self.log_in()
        found = [None, USERS.get()]
        with mock.patch.object(operators, "_find", side_effect=found):
            assert self.log_in(Client()).status_code == 302
        assert OperatorIdentity.objects.count() == 1 and USERS.count() == 1
