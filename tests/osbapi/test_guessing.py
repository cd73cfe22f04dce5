"""Guessing at passwords is slow, and shuts nobody out."""

from typing import Any
from unittest import mock

from instances import guesses as module
from instances.guesses import ALLOWED, Guesses
from instances.models import BrokerCredential
from osbapi import authentication
from tests.osbapi.base import PASSWORD, USERNAME, PlatformTestCase, basic


class PlatformGuessingTest(PlatformTestCase):
    """S28."""

    def setUp(self) -> None:
        super().setUp()
        check = mock.patch.object(authentication, "check_password", return_value=False)
        self.check_password = self.enterContext(check)

    def answer(self, password: str, address: str = "10.0.0.1", **headers: str) -> Any:
        sent = {"Authorization": basic(USERNAME, password), **headers}
        return self.get("/v2/catalog", headers=sent, REMOTE_ADDR=address)

    def guess(self) -> None:
        for number in range(ALLOWED):
            assert self.answer(f"guess {number}").status_code == 401

    def test_after_some_wrong_passwords_it_is_429_in_seconds(self):
        """OSB-CHECKLIST 82: a duration, no date."""
        self.guess()
        refused = self.answer("another guess")
        assert refused.status_code == 429
        assert 0 < int(refused["Retry-After"]) <= module.WINDOW_S
        assert self.check_password.call_count == ALLOWED

    def test_the_right_password_is_served_all_the_same(self):
        """A stranger behind the same router must not shut the platform out."""
        self.guess()
        assert self.answer("another guess").status_code == 429
        assert self.answer(PASSWORD).status_code == 200

    def test_another_address_may_guess(self):
        self.guess()
        assert self.answer("a guess", address="10.0.0.2").status_code == 401

    def test_a_forged_header_makes_no_other_address(self):
        """S40."""
        self.guess()
        forged = {"X-Forwarded-For": "10.9.9.9"}
        assert self.answer("a guess", **forged).status_code == 429

    def test_a_wrong_password_is_not_remembered(self):
        self.answer("a guess")
        assert not BrokerCredential.objects.get().knows("a guess")


class GuessesTest(PlatformTestCase):
    def test_after_the_window_one_may_guess_again(self):
        with mock.patch.object(module.time, "monotonic") as clock:
            clock.return_value = 1000.0
            tried = Guesses()
            for _ in range(ALLOWED):
                assert tried.wait_s("here") == 0
                tried.note("here")
            assert tried.wait_s("here") == module.WINDOW_S
            clock.return_value += module.WINDOW_S - 1
            assert tried.wait_s("here") == 1
            clock.return_value += 1
            assert tried.wait_s("here") == 0

    def test_only_so_many_sources_are_remembered(self):
        tried = Guesses()
        with mock.patch.object(module, "REMEMBERED", 3):
            for number in range(5):
                tried.note(str(number))
        assert list(tried._times) == ["2", "3", "4"]
