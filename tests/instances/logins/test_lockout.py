"""Wrong passwords at the console: few, then one has to wait (SECURITY S28)."""

from datetime import timedelta
from threading import Barrier, Thread

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TransactionTestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from instances.admin.html import list_url
from instances.models import AuditEvent, LoginAttempt
from instances.models.login_attempt import (
    COOL_OFF,
    KEPT,
    MOST_FOR_A_NAME,
    MOST_FOR_AN_ADDRESS,
    WINDOW,
)
from tests.instances.admin.rows import ConsoleTestCase

PASSWORD = "the right password"
WRONG = "Please enter the correct"
LOCKED = "Too many failed logins"


def pass_by(length):
    """As if that time had gone by since all that was counted."""
    for row in LoginAttempt.objects.all():
        row.last_at -= length
        if row.locked_until:
            row.locked_until -= length
        row.save()


class LockoutTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.client.logout()
        users = get_user_model().objects
        self.otto = users.create_user("otto", password=PASSWORD, is_staff=True)

    def log_in(self, username, password, address="10.0.0.1", **headers):
        """What the page says; empty if one is let in."""
        form = {"username": username, "password": password}
        answer = self.client.post(
            reverse("admin:login"), form, REMOTE_ADDR=address, headers=headers
        )
        if answer.status_code == 302:
            return ""
        return answer.content.decode()

    def guess(self, username="otto", times=MOST_FOR_A_NAME, **where):
        for number in range(times):
            assert WRONG in self.log_in(username, f"guess {number}", **where)


class Guessing(LockoutTestCase):
    def test_after_some_wrong_passwords_one_has_to_wait(self):
        self.guess()
        text = self.log_in("otto", "guess")
        assert LOCKED in text and "administrator" in text and "UTC" in text

    def test_meanwhile_the_right_one_is_not_told_from_a_wrong_one(self):
        self.guess()
        assert LOCKED in self.log_in("otto", PASSWORD)

    def test_a_name_that_nobody_has_is_treated_alike(self):
        self.guess("nobody")
        assert LOCKED in self.log_in("nobody", "guess")

    def test_other_letters_make_no_other_name(self):
        self.guess()
        assert LOCKED in self.log_in("OTTO", "guess")

    def test_from_another_address_otto_is_let_in(self):
        """Nobody locks others out by their names."""
        self.guess()
        assert self.log_in("otto", PASSWORD, address="10.0.0.2") == ""

    def test_a_forged_header_makes_no_other_address(self):
        """SECURITY S40."""
        self.guess()
        forged = {"X-Forwarded-For": "10.9.9.9"}
        assert LOCKED in self.log_in("otto", "guess", **forged)

    @override_settings(FORWARDED_HOPS=1)
    def test_behind_a_router_the_client_is_meant(self):
        for number in range(MOST_FOR_A_NAME):
            told = {"X-Forwarded-For": f"1.1.1.{number}, 10.0.0.7"}
            assert WRONG in self.log_in("otto", "guess", **told)
        told = {"X-Forwarded-For": "2.2.2.2, 10.0.0.7"}
        assert LOCKED in self.log_in("otto", "guess", **told)
        told = {"X-Forwarded-For": "10.0.0.8"}
        assert self.log_in("otto", PASSWORD, **told) == ""

    def test_after_the_cool_off_one_may_try_again(self):
        self.guess()
        self.log_in("otto", "guess")
        pass_by(COOL_OFF)
        assert self.log_in("otto", PASSWORD) == ""

    def test_trying_on_does_not_lengthen_it(self):
        self.guess()
        self.log_in("otto", "guess")
        until = LoginAttempt.objects.get(username="otto").locked_until
        self.log_in("otto", "guess")
        assert LoginAttempt.objects.get(username="otto").locked_until == until

    def test_slips_of_another_day_do_not_add_up(self):
        self.guess(times=MOST_FOR_A_NAME - 1)
        pass_by(WINDOW)
        self.guess(times=MOST_FOR_A_NAME)

    def test_a_right_password_clears_the_slips(self):
        self.guess(times=MOST_FOR_A_NAME - 1)
        assert self.log_in("otto", PASSWORD) == ""
        self.client.logout()
        self.guess(times=MOST_FOR_A_NAME)

    def test_one_password_for_ever_other_names_is_noticed_too(self):
        for number in range(MOST_FOR_AN_ADDRESS):
            assert WRONG in self.log_in(f"name {number}", "Summer2026")
        assert LOCKED in self.log_in("one more", "Summer2026")
        assert not LoginAttempt.objects.filter(username="one more").exists()

    def test_a_known_password_buys_no_guesses_at_others(self):
        for number in range(MOST_FOR_AN_ADDRESS):
            self.log_in(f"name {number}", "guess")
            if number % 10 == 0:
                self.log_in("otto", PASSWORD)
                self.client.logout()
        assert LOCKED in self.log_in("one more", "guess")

    def test_what_is_old_goes(self):
        self.guess(times=1)
        pass_by(KEPT + timedelta(minutes=1))
        self.guess("another", times=1, address="10.0.0.3")
        assert not LoginAttempt.objects.filter(username="otto").exists()

    def test_odd_names_are_only_wrong(self):
        for name in ("x" * 5000, "\0", "\u202eotto", "", "🐘" * 150):
            assert self.log_in(name, "guess")


class Unlocking(LockoutTestCase):
    def test_an_administrator_unlocks(self):
        self.guess()
        assert LOCKED in self.log_in("otto", "guess")
        row = LoginAttempt.objects.get(username="otto")
        self.client.force_login(self.user)
        page = list_url(LoginAttempt)
        assert "locked" in self.text_of(page)
        sent = {"action": "unlock", "_selected_action": [row.pk]}
        assert self.client.post(page, sent).status_code == 302
        (event,) = AuditEvent.objects.filter(action="unlock login")
        assert event.target == "login otto from 10.0.0.1"
        self.client.logout()
        assert self.log_in("otto", PASSWORD) == ""


class AtOnce(TransactionTestCase):
    """Several processes ask one database: a burst gets no more than the rest."""

    def test_a_burst_of_guesses_is_counted_each(self):
        LoginAttempt.objects.begin("otto", "10.0.0.1")
        LoginAttempt.objects.update(failures=0)
        barrier, allowed = Barrier(8), []

        def guess():
            barrier.wait()
            try:
                for _ in range(2):
                    if LoginAttempt.objects.begin("otto", "10.0.0.1") is None:
                        allowed.append(1)
            finally:
                connection.close()

        threads = [Thread(target=guess) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(allowed) == MOST_FOR_A_NAME
        row = LoginAttempt.objects.get(username="otto")
        assert row.locked_until > timezone.now()
