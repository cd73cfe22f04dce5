import threading

from django.test import SimpleTestCase

from instances.watchdog import Watchdog


class WatchdogTest(SimpleTestCase):
    """F29. The clock is the test's."""

    def setUp(self) -> None:
        self.time_s = 1000.0
        self.watchdog = Watchdog(0.5, real=lambda: self.time_s)
        self.pulse = self.watchdog.pulse("thread", limit_s=60)

    def pass_s(self, seconds: float) -> list[str]:
        """Time goes by, and the watchdog gets to look every half a second."""
        for _ in range(int(seconds * 2)):
            self.time_s += 0.5
            self.lost = self.watchdog.look()
        return [pulse.name for pulse in self.lost]

    def test_who_beats_is_not_lost(self):
        for _ in range(10):
            assert self.pass_s(30) == []
            self.pulse.beat()

    def test_who_is_silent_is_lost(self):
        self.pulse.beat()
        assert self.pass_s(60) == []
        assert self.pass_s(1) == ["thread"]
        assert self.pulse.silent_s == 61

    def test_others_do_not_matter(self):
        other = self.watchdog.pulse("other", limit_s=600)
        for _ in range(4):
            self.pulse.beat()
            assert self.pass_s(50) == []
        other.beat()
        assert self.pass_s(61) == ["thread"]

    def test_what_is_expected_to_last_may(self):
        self.pulse.beat()
        self.pulse.expect(900)
        assert self.pass_s(960) == []
        assert self.pass_s(1) == ["thread"]

    def test_signs_of_life_beyond_what_was_expected_count(self):
        """A long operation that makes steps and renews its lease does not hang."""
        self.pulse.expect(100)
        for _ in range(10):
            assert self.pass_s(50) == []
            self.pulse.show_life()

    def test_a_sign_of_life_shortens_nothing(self):
        self.pulse.expect(900)
        self.pulse.show_life()
        assert self.pass_s(800) == []

    def test_what_was_expected_is_over_with_the_next_round(self):
        self.pulse.expect(900)
        self.pulse.beat()
        assert self.pass_s(61) == ["thread"]

    def test_a_deadline_that_is_past_is_no_debt(self):
        self.pulse.beat()
        self.pulse.expect(-3600)
        assert self.pass_s(60) == []

    def test_the_time_in_which_the_process_was_stopped_does_not_count(self):
        """SIGSTOP and SIGCONT, a machine that was asleep, a starved container."""
        self.pulse.beat()
        self.time_s += 24 * 3600
        assert self.watchdog.look() == []
        assert self.pass_s(50) == []
        assert self.pass_s(10) == ["thread"]

    def test_a_thread_that_has_ended_is_lost_at_once(self):
        self.pulse.thread = threading.Thread(target=lambda: None)
        self.pulse.thread.start()
        self.pulse.thread.join()
        assert self.watchdog.look() == [self.pulse]
        assert self.pulse.stack() == "it has ended"

    def test_where_it_hangs_can_be_seen(self):
        release = threading.Event()
        begun = threading.Event()

        def hang_here() -> None:
            begun.set()
            release.wait(20)

        self.pulse.thread = threading.Thread(target=hang_here)
        self.pulse.thread.start()
        assert begun.wait(20)
        assert "hang_here" in self.pulse.stack()
        release.set()
        self.pulse.thread.join()
