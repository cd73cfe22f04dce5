"""The histories: what may happen next, in any order."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from instances.models import Container, Operation, PortLease
from instances.operations.levels import Level
from tests.fakes import AFTER, IMAGE, drain, expire_leases
from tests.stateful.checks import check_step, settle
from tests.stateful.client import Client
from tests.stateful.instances import GUIDS
from tests.stateful.passing import expire_claims, pass_time
from tests.stateful.stage import Stage
from tests.stateful.trouble import KINDS, arm

QUICK = settings(
    max_examples=int(os.environ.get("EXAMPLES", "12")),
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=False,
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
NIGHTLY = settings(QUICK, max_examples=20_000, stateful_step_count=50)
PROFILE = NIGHTLY if os.environ.get("STATEFUL") == "nightly" else QUICK

guids = st.sampled_from([GUIDS[0], *GUIDS])
NAMES = ("b-1", "b-2", "b-3")
which = st.integers(0, 5)
"""One of those that there are, whatever their number is."""
WISHES = (
    *("put", "put", "put at once", "put_another", "delete", "delete at once"),
    *("bind", "bind", "bind", "unbind", "unbind", "unbind", "write", "write"),
    *("update", "back_up", "clone", "restore"),
)
TOIL = ("work", "finish", "finish", "look after", "replenish")
MEANWHILE = ("overtaken", "deleted", "deleted late", "handed out")
WEAK_POINTS = (
    *[("unbind", "drop_user"), ("unbind", "drop_user"), ("bind", "create_user")],
    *[("put", "create"), ("put", "start"), ("put", "create_database")],
    *[("delete", "remove"), ("back_up", "commit"), ("replenish", "check")],
    *[("restore", "start"), ("clone", "write_archive"), ("clone", "start")],
)
"""What is asked for, and the call of it that something happens at."""
MOST_RESTS = 2
"""In one history: a rest takes as long as twenty other steps."""
LATE_S = 60
"""No call is executed later than that: the longest deadline of one."""


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.faults, self.machine = self.stage.faults, self.stage.world.machine
        self.client = Client(self.stage)
        self.rests = 0

    def teardown(self) -> None:
        try:
            settle(self.client)
        finally:
            self.stage.close()

    @initialize(
        begun=st.sampled_from([True, True, True, False]),
        standbys=st.sampled_from([0, 0, 1]),
    )
    def begin(self, begun: bool, standbys: int) -> None:
        """Most of them begin where a backup is older than a binding."""
        self.client.keep_standbys(standbys)
        self.stage.replenish()
        if not begun:
            return
        guid, client = GUIDS[0], self.client
        client.put(guid)
        drain()
        client.poll(guid)
        client.bind(guid, "b-1")
        client.write(guid, "b-1")
        client.back_up(guid)
        self.stage.come_to_rest()
        client.look_at_backups()
        client.bind(guid, "b-2")
        client.write(guid, "b-2")
        client.bind(guid, "b-3")
        client.unbind(guid, "b-3")

    # Few rules, each of them many things: a rule that is left out leaves out all.

    @rule(what=st.sampled_from(WISHES), guid=guids, which=which)
    def ask(self, what: str, guid: str, which: int) -> None:
        client = self.client
        if what in ("bind", "unbind", "write"):
            getattr(client, what)(guid, self._name(what, guid, which))
        elif what in ("clone", "restore"):
            self._use_backup(what, guid, which)
        elif what.endswith(" at once"):
            getattr(client, what.removesuffix(" at once"))(guid, is_async=False)
        else:
            getattr(client, what)(guid)
        client.poll(guid)

    @rule(what=st.sampled_from(WISHES), guid=guids, which=which)
    def ask_more(self, what: str, guid: str, which: int) -> None:
        self.ask(what, guid, which)

    def _name(self, what: str, guid: str, which: int) -> str:
        """Mostly one that there is, where it is to be used."""
        known = sorted(self.client.told[guid].bindings)
        if what == "bind" or not known or which == 0:
            return NAMES[which % len(NAMES)]
        return known[which % len(known)]

    def _use_backup(self, what: str, guid: str, which: int) -> None:
        if not self.client.kept:
            return
        kept = self.client.kept[which % len(self.client.kept)]
        if what == "clone":
            self.client.put(guid, kept=kept)
        else:
            self.client.restore(kept.guid, kept)

    @rule(what=st.sampled_from(TOIL))
    def toil(self, what: str) -> None:
        if what == "look after":
            self.stage.look_after()
        elif what == "replenish":
            self.stage.replenish()
        elif what == "work":
            self.stage.work()
        else:
            while self.stage.work() is not None:
                self.client.look_at_backups()
        self.client.look_at_backups()
        for guid in GUIDS:
            self.client.poll(guid)
            self.client.poll_change(guid)

    # What operators do.

    @rule(guid=guids, level=st.sampled_from(list(Level)))
    def force(self, guid: str, level: Level) -> None:
        """F109: it ends with the host down too, unless it is an ordinary one."""
        is_armed = self.faults.is_armed
        is_raised = self.client.force(guid, level) and level != Level.ORDINARY
        self.toil("finish")
        told = self.client.told[guid]
        if is_raised and told.state == "deleting" and not is_armed:
            row = Operation.objects.get(pk=told.operation)
            assert row.leased_until, "a forced deletion waits for something"

    @rule(number=st.integers(0, 2))
    def keep_standbys(self, number: int) -> None:
        self.client.keep_standbys(number)

    @rule(seconds=st.sampled_from([5, 31, 61, 600]))
    def wait(self, seconds: int) -> None:
        if seconds > 5 and Operation.objects.unfinished().exists():
            self.client.has_trouble = True
        if seconds >= LATE_S:
            self.deliver()
        pass_time(seconds)

    # What goes wrong.

    @rule(kind=st.sampled_from(KINDS), nth=st.integers(1, 12))
    def arm(self, kind: str, nth: int) -> None:
        self.client.has_trouble = True
        arm(self.faults, kind, nth)

    @rule(
        point=st.sampled_from(WEAK_POINTS),
        how=st.sampled_from(KINDS + MEANWHILE),
        guid=guids,
        which=which,
    )
    def strike(self, point: tuple[str, str], how: str, guid: str, which: int) -> None:
        """Trouble where it hurts, and at once what meets it."""
        what, call = point
        self.client.has_trouble = True
        if how in MEANWHILE:
            self._interrupt(guid, 1, how, call)
        else:
            arm(self.faults, how, 1, call)
        if what != "replenish":
            self.ask(what, guid, which)
            self.toil("work")
        else:
            self.client.keep_standbys(1 + which % 2)
            self.toil(what)

    @rule(guid=guids, nth=st.integers(1, 12), how=st.sampled_from(MEANWHILE))
    def interrupt(self, guid: str, nth: int, how: str) -> None:
        """A worker sleeps at a call; meanwhile another one, or a platform, acts.

        F12, F24.
        """
        self._interrupt(guid, nth, how)

    def _interrupt(
        self, guid: str, nth: int, how: str, call: str | None = None
    ) -> None:
        self.client.has_trouble = True

        def act() -> None:
            if how in ("overtaken", "handed out"):
                expire_leases()
                expire_claims()
            if how == "handed out":
                self._hand_out(guid)
            elif how != "overtaken":
                self.client.delete(guid)
            if how != "deleted late":
                self.stage.work("another-worker")

        self.faults.on(call, act, nth=nth, moment=AFTER)

    def _hand_out(self, guid: str) -> None:
        """Another worker gets a standby ready, and an instance takes it."""
        self.stage.replenish()
        if not self.client.is_asking:
            self.client.put(guid)

    def deliver(self) -> None:
        if self.faults.late:
            self._disturb_all()
            self.client.has_echoes = True
            self.faults.deliver()

    @rule(what=st.sampled_from(["host", "engine", "image"]), is_down=st.booleans())
    def take_down(self, what: str, is_down: bool) -> None:
        """An image that is down does not take in what a restore gives it (F102)."""
        self.client.has_trouble = self.client.has_trouble or is_down
        if what == "host":
            self.machine.is_down = is_down
        elif what == "engine":
            self.stage.world.engine.is_down = is_down
        else:
            self.machine.deaf_images = {IMAGE} if is_down else set()

    @rule(
        guid=st.sampled_from([*GUIDS, "a standby"]),
        state=st.sampled_from(["exited", "paused", ""]),
    )
    def meddle(self, guid: str, state: str) -> None:
        """Somebody stops, pauses or removes a container by hand (F49, F50)."""
        told = self.client.told.get(guid)
        if told is None:
            name = next((row.name for row in Container.objects.standbys()), "")
        elif told.is_steady:
            name = self.stage.live(guid).container.name
            told.is_disturbed, told.is_lost = True, not state
        else:
            return
        container = self.machine.containers.get(name)
        if container is not None:
            self.client.has_trouble = True
            container.state = state
        if container is not None and not state:
            del self.machine.containers[name]

    @rule(number=st.integers(20000, 20003))
    def meet_a_stranger(self, number: int) -> None:
        """Another program takes a port, or gives it back (F54)."""
        self.client.has_trouble = True
        address = (self.stage.host.publish_address, number)
        self.machine.strangers ^= {address}
        lease = PortLease.objects.filter(number=number, container__isnull=False).first()
        if lease is not None and address in self.machine.strangers:
            self._free(number)

    def _free(self, number: int) -> None:
        """Two programs do not listen on one port: it was down before."""
        for container in self.machine.running():
            if container.spec.publish_port == number:
                self.machine.strangers -= {container.address}

    @precondition(lambda self: self.rests < MOST_RESTS)
    @rule()
    def come_to_rest(self) -> None:
        self.rests += 1
        settle(self.client)

    @invariant()
    def holds(self) -> None:
        check_step(self.client)

    def _disturb_all(self) -> None:
        for told in self.client.told.values():
            told.is_disturbed = True
