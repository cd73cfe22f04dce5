import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers.breaker import MOST_FAILURES, PAUSE_S, Breaker


class BreakerTest(SimpleTestCase):
    """F33, I13."""

    def setUp(self) -> None:
        self.now = 0.0
        self.breaker = Breaker(clock=lambda: self.now)

    def fail(self, times: int = MOST_FAILURES) -> None:
        for _ in range(times):
            self.breaker.fail("it is down")

    def test_it_opens_after_failures_in_a_row(self):
        self.fail(MOST_FAILURES - 1)
        with self.breaker.passing() as is_probe:
            assert not is_probe
        self.fail(1)
        with pytest.raises(errors.HostUnreachable) as caught, self.breaker.passing():
            pass
        assert "it is down (not asked again" in caught.value.detail

    def test_a_success_in_between_counts_anew(self):
        self.fail(MOST_FAILURES - 1)
        self.breaker.succeed()
        self.fail(MOST_FAILURES - 1)
        assert not self.breaker.is_open

    def test_a_certain_failure_opens_it_at_once(self):
        self.breaker.fail("frozen", at_once=True)
        assert self.breaker.refuses

    def test_one_is_let_through_after_a_pause_and_closes_it(self):
        self.fail()
        self.now += PAUSE_S
        with self.breaker.passing() as is_probe:
            assert is_probe
            with pytest.raises(errors.HostUnreachable), self.breaker.passing():
                pass
            self.breaker.succeed()
        assert not self.breaker.is_open

    def test_one_that_fails_keeps_it_open_for_another_pause(self):
        self.fail()
        self.now += PAUSE_S
        with self.breaker.passing():
            self.fail(1)
        assert self.breaker.refuses
        self.now += PAUSE_S
        assert self.breaker.is_open and not self.breaker.refuses
