import threading

from django.test import SimpleTestCase

from instances.crew import Crew, Lanes


class CrewTest(SimpleTestCase):
    def setUp(self) -> None:
        self.crew = Crew(lambda job: job())
        self.addCleanup(self.crew.dismiss)

    def test_a_job_that_hangs_keeps_no_other_waiting(self):
        """I13."""
        stuck, done = threading.Event(), threading.Event()
        self.addCleanup(stuck.set)
        for _ in range(5):
            self.crew.do(stuck.wait)
        self.crew.do(done.set)
        assert done.wait(10)

    def test_a_thread_that_is_free_is_used_again(self):
        for _ in range(5):
            done = threading.Event()
            self.crew.do(done.set)
            assert done.wait(10)
            assert self.crew._idle.acquire(timeout=10)
            self.crew._idle.release()
        assert len(self.crew.threads) == 1

    def test_what_is_still_at_work_is_not_begun_again(self):
        stuck, begun = threading.Event(), threading.Event()
        assert self.crew.do_alone("key", lambda: (begun.set(), stuck.wait()))
        assert begun.wait(10) and self.crew.is_busy("key")
        assert not self.crew.do_alone("key", stuck.wait)
        done = threading.Event()
        assert self.crew.do_alone("other", done.set) and done.wait(10)
        stuck.set()

    def test_dismissed_threads_say_farewell_and_end(self):
        said = threading.Event()
        crew = Crew(lambda job: job(), farewell=said.set)
        crew.do(lambda: None)
        crew.dismiss()
        assert said.wait(10)
        crew.threads[0].join(10)
        assert not crew.threads[0].is_alive()


class LanesTest(SimpleTestCase):
    def test_each_host_has_a_lane_and_what_has_no_host_another(self):
        lanes = Lanes(2)
        for owner, host in (("a", 1), ("b", 1), ("c", 2), ("d", None)):
            lanes.enter(owner, host)
        assert lanes.full() == {1}
        lanes.enter("e", None)
        assert lanes.full() == {1, None}
        lanes.leave("a")
        assert lanes.full() == {None}
        assert sorted(lanes.owners()) == ["b", "c", "d", "e"]
