"""How long one stays logged in, and how one is logged out everywhere (SECURITY S51)."""

import time
from unittest import mock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.urls import reverse

from instances.admin.html import change_url
from instances.logins import sessions
from tests.instances.admin.made_roles import make_roles
from tests.instances.admin.rows import ConsoleTestCase

PASSWORD = "a-password-for-tests-1"
INDEX = reverse("admin:index")


class SessionsTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        make_roles()
        self.otto = get_user_model().objects.create_user(
            "otto", password=PASSWORD, is_staff=True
        )
        self.otto.groups.set(Group.objects.filter(name="viewer"))

    def browser(self):
        """One in which otto has logged in."""
        client = Client()
        form = {"username": "otto", "password": PASSWORD}
        answer = client.post(reverse("admin:login"), form)
        assert answer.status_code == 302
        return client

    def later(self, seconds):
        now = time.time() + seconds
        return mock.patch.object(sessions.time, "time", return_value=now)

    def is_in(self, client, **headers):
        return client.get(INDEX, headers=headers).status_code == 200


class Lasting(SessionsTestCase):
    def test_who_is_away_for_long_is_logged_out_and_told(self):
        client = self.browser()
        key = client.session.session_key
        with self.later(settings.SESSION_IDLE_S):
            assert not self.is_in(client)
        assert not Session.objects.filter(pk=key).exists()
        text = client.get(reverse("admin:login")).content.decode()
        assert "30 minutes without a click" in text
        assert (
            "without a click" not in client.get(reverse("admin:login")).content.decode()
        )

    def test_who_goes_on_stays(self):
        client = self.browser()
        for minutes in (20, 40, 60):
            with self.later(minutes * 60):
                assert self.is_in(client), minutes

    def test_but_not_beyond_the_hours(self):
        client = self.browser()
        session = client.session
        session["began_at"] -= settings.SESSION_COOKIE_AGE
        session.save()
        assert not self.is_in(client)

    def test_what_a_page_fetches_by_itself_is_no_click(self):
        client = self.browser()
        for minutes in (10, 20, 29):
            with self.later(minutes * 60):
                assert self.is_in(client, **{"Sec-Fetch-Mode": "cors"})
        with self.later(30 * 60):
            assert not self.is_in(client)

    @override_settings(SESSION_IDLE_S=60)
    def test_the_minutes_are_a_setting(self):
        client = self.browser()
        with self.later(61):
            assert not self.is_in(client)

    def test_one_of_an_earlier_release_begins_now(self):
        client = Client()
        client.force_login(self.otto)
        assert "began_at" not in client.session
        assert self.is_in(client)
        assert client.session["began_at"] == client.session["seen_at"]

    def test_a_click_is_written_once_a_minute(self):
        client = self.browser()
        with mock.patch.object(type(client.session), "save") as save:
            self.is_in(client)
        assert not save.called

    def test_expired_ones_are_cleared_away_by_the_next_login(self):
        old = self.browser().session.session_key
        Session.objects.update(expire_date="2026-01-01T00:00:00Z")
        self.browser()
        assert not Session.objects.filter(pk=old).exists()


class LoggingIn(SessionsTestCase):
    def test_gives_the_session_another_key(self):
        client = Client()
        session = client.session  # as if somebody had foisted it on the browser
        session["x"] = 1
        session.save()
        before = session.session_key
        client.cookies[settings.SESSION_COOKIE_NAME] = before
        form = {"username": "otto", "password": PASSWORD}
        client.post(reverse("admin:login"), form)
        assert client.session.session_key != before
        assert not Session.objects.filter(pk=before).exists()

    @override_settings(SESSION_COOKIE_SECURE=True)
    def test_sets_a_cookie_for_https_and_no_script(self):
        cookie = self.browser().cookies[settings.SESSION_COOKIE_NAME]
        assert cookie["secure"] and cookie["httponly"] and cookie["samesite"] == "Lax"


class LoggedOutEverywhere(SessionsTestCase):
    def setUp(self):
        super().setUp()
        self.browsers = [self.browser(), self.browser()]

    def edit(self, **fields):
        sent = {
            "username": "otto",
            "is_active": "on",
            "is_staff": "on",
            "groups": [group.pk for group in self.otto.groups.all()],
            "date_joined_0": "2026-11-27",
            "date_joined_1": "08:00:00",
            **fields,
        }
        sent = {name: value for name, value in sent.items() if value is not None}
        answer = self.client.post(change_url(self.otto), sent)
        assert answer.status_code == 302, answer.content

    def is_anywhere(self):
        return [self.is_in(client) for client in self.browsers]

    def test_by_another_role(self):
        role = Group.objects.get(name="operator")
        self.edit(groups=[role.pk])
        assert self.is_anywhere() == [False, False]
        assert self.is_in(self.client)

    def test_by_the_loss_of_the_staff_status_or_of_all(self):
        self.edit(is_staff=None)
        assert not Session.objects.filter(
            pk__in=[client.session.session_key for client in self.browsers]
        ).exists()

    def test_by_another_password(self):
        url = reverse("admin:auth_user_password_change", args=[self.otto.pk])
        sent = {
            "usable_password": "true",
            "password1": "another-password-2",
            "password2": "another-password-2",
        }
        assert self.client.post(url, sent).status_code == 302
        assert self.is_anywhere() == [False, False]
        assert self.is_in(self.client)

    def test_not_by_another_email_address(self):
        self.edit(email="otto@example.com")
        assert self.is_anywhere() == [True, True]

    def test_not_together_with_others(self):
        assert sessions.log_out_everywhere(self.otto) == 2
        assert self.is_in(self.client)
