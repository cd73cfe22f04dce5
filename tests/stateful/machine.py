"""The histories: what may happen next, in any order."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from instances.models import Operation
from tests.stateful.checks import check_step, settle
from tests.stateful.instances import GUIDS
from tests.stateful.passing import pass_time
from tests.stateful.play import TOIL, WISHES, Play
from tests.stateful.stage import Stage
from tests.stateful.trouble import DOWN, HOW, Trouble

QUICK = settings(
    max_examples=int(os.environ.get("EXAMPLES", "24")),
    stateful_step_count=20,
    deadline=None,
    database=None,
    print_blob=False,
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
NIGHTLY = settings(QUICK, max_examples=20_000, stateful_step_count=30)
PROFILE = NIGHTLY if os.environ.get("STATEFUL") == "nightly" else QUICK

WEAK_POINTS = {
    ("unbind", "drop_user"): ("refused", "late", "lost", "killed before"),
    ("bind", "create_user"): ("unbound", "unbound", "late", "lost", "killed after"),
    ("put", "create"): ("late", "killed after", "overtaken", "deleted"),
    ("put", "start"): ("lost", "killed after", "deleted late"),
    ("put", "create_database"): ("refused", "killed before", "overtaken"),
    ("delete", "remove"): ("refused", "late", "killed after"),
    ("force", "remove"): ("refused", "late", "killed after"),
    ("forget", "remove"): ("late",),
    ("back_up", "commit"): ("lost", "killed after", "deleted"),
    ("restore", "start"): ("refused", "killed after", "overtaken", "deleted"),
    ("clone", "write_archive"): ("refused", "killed before", "killed after"),
    ("clone", "start"): ("refused", "killed before", "overtaken"),
    ("replenish", "check"): ("handed out", "handed out", "overtaken", "killed before"),
}
"""What is asked for, the call of it that hurts, and what happens there."""
STRIKES = [(*point, how) for point, hows in WEAK_POINTS.items() for how in hows]
THEN = ("", "work", "finish", "finish")
THINGS = (*DOWN, *GUIDS, "a standby", "a port")
MOODS = {
    "calm": ("wait", "toil", "rest"),
    "struck": ("strike", "wait", "toil", "rest"),
    "wild": ("strike", "arm", "meddle", "wait", "toil", "rest"),
}
"""What happens in a history: where all may, little gets very far."""
MOST_RESTS = 1
"""In one history: a rest takes as long as twenty other steps."""
LATE_S = 60
"""No call is executed later than that: the longest deadline of one."""

guids = st.sampled_from([GUIDS[0], *GUIDS])
which = st.integers(0, 5)
"""One of those that there are, whatever their number is."""
wishes = st.tuples(st.sampled_from(WISHES), guids, which)
DEEDS = (
    *3 * [("strike", st.sampled_from(STRIKES), guids, which)],
    ("arm", st.sampled_from(HOW), st.integers(1, 12), guids),
    ("meddle", st.sampled_from(THINGS), which),
    ("wait", st.sampled_from([5, 31, 61, 600])),
    ("toil", st.sampled_from(TOIL)),
    ("rest",),
    ("nothing",),
)
# Each its own object: Hypothesis counts one that comes thrice once.
deeds = st.one_of(*[st.tuples(st.just(name), *details) for name, *details in DEEDS])
thens = st.sampled_from(THEN)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.play = Play(self.stage)
        self.client = self.play.client
        self.trouble = Trouble(self.client)
        self.rests = 0

    def teardown(self) -> None:
        try:
            settle(self.client)
        finally:
            self.stage.close()

    @initialize(
        begun=st.sampled_from([True, True, True, False]),
        standbys=st.sampled_from([0, 0, 1]),
        mood=st.sampled_from(["calm", "struck", "struck", "wild", "wild"]),
    )
    def begin(self, begun: bool, standbys: int, mood: str) -> None:
        """Most of them begin in the middle."""
        self.mood = mood
        self.client.keep_standbys(standbys)
        self.stage.replenish()
        if begun:
            self.play.begin(GUIDS[0])

    # Hypothesis leaves rules out of a history: of one alone it cannot.

    @rule(deed=deeds, wishes=st.lists(wishes, min_size=1, max_size=3), then=thens)
    def go_on(
        self, deed: tuple[Any, ...], wishes: list[tuple[str, str, int]], then: str
    ) -> None:
        what, *details = deed
        if what in MOODS[self.mood]:
            getattr(self, f"_{what}")(*details)
        check_step(self.client)
        for wish in wishes:
            self.play.ask(*wish)
            check_step(self.client)
        if then:
            self.play.toil(then)

    def _toil(self, what: str) -> None:
        self.play.toil(what)

    def _wait(self, seconds: int) -> None:
        if seconds > 5 and Operation.objects.unfinished().exists():
            self.client.has_trouble = True
        if seconds >= LATE_S:
            self.trouble.deliver()
        pass_time(seconds)

    def _rest(self) -> None:
        if self.rests < MOST_RESTS:
            self.rests += 1
            settle(self.client)

    def _arm(self, how: str, nth: int, guid: str) -> None:
        self.trouble.arm(how, nth, guid)

    def _meddle(self, what: str, which: int) -> None:
        self.trouble.meddle(what, which)

    def _strike(self, point: tuple[str, str, str], guid: str, which: int) -> None:
        """Trouble where it hurts, and at once what meets it."""
        what, call, how = point
        self.play.prepare(what, guid)
        check_step(self.client)
        self.trouble.arm(how, 1, guid, call)
        if what == "replenish":
            self.play.toil("more")
        else:
            self.play.ask(what, guid, which)
            self.play.toil("work")
        if what == "forget":
            self.trouble.meddle("host", 0)

    @invariant()
    def holds(self) -> None:
        check_step(self.client)
