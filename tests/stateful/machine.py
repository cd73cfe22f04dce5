"""The histories: what may happen next, in any order."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from instances.models import Operation, PortLease
from tests.fakes import AFTER, BEFORE, IMAGE, drain, expire_leases
from tests.stateful.checks import check_step, settle
from tests.stateful.client import GUIDS, Client
from tests.stateful.passing import pass_time
from tests.stateful.stage import Stage
from tests.stateful.told import Kept
from tests.stateful.trouble import KINDS, arm

QUICK = settings(
    max_examples=100,
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

guids = st.sampled_from(GUIDS)
bindings = st.sampled_from(["b-1", "b-2", "b-3"])
MOST_RESTS = 2
"""In one history: a rest takes as long as twenty other steps."""
LATE_S = 60
"""No call is executed later than that: the longest deadline of one."""


class Histories(RuleBasedStateMachine):
    backups = Bundle("backups")

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

    @initialize(target=backups, begun=st.booleans())
    def begin(self, begun: bool) -> Any:
        """Half of them begin where one backup is older than a binding."""
        if not begun:
            return multiple()
        guid, client = GUIDS[0], self.client
        client.put(guid)
        drain()
        client.poll(guid)
        client.bind(guid, "b-1")
        client.write(guid, "b-1")
        kept = client.back_up(guid)
        self.stage.come_to_rest()
        client.look_at_backups()
        client.bind(guid, "b-2")
        client.write(guid, "b-2")
        return kept

    # What a platform does.

    @rule(guid=guids, is_async=st.sampled_from([True, True, True, False]))
    def put(self, guid: str, is_async: bool) -> None:
        self.client.put(guid, is_async=is_async)

    @rule(guid=guids)
    def put_another(self, guid: str) -> None:
        self.client.put_another(guid)

    @rule(guid=guids, is_async=st.sampled_from([True, True, True, False]))
    def delete(self, guid: str, is_async: bool) -> None:
        self.client.delete(guid, is_async=is_async)

    @rule(guid=guids)
    def poll(self, guid: str) -> None:
        self.client.poll(guid)
        self.client.poll_change(guid)

    @rule(guid=guids, name=bindings)
    def bind(self, guid: str, name: str) -> None:
        self.client.bind(guid, name)

    @rule(guid=guids, name=bindings)
    def unbind(self, guid: str, name: str) -> None:
        self.client.unbind(guid, name)

    @rule(guid=guids, name=bindings)
    def write(self, guid: str, name: str) -> None:
        self.client.write(guid, name)

    @rule(guid=guids)
    def update(self, guid: str) -> None:
        self.client.update(guid)

    @rule(target=backups, guid=guids)
    def back_up(self, guid: str) -> Any:
        kept = self.client.back_up(guid)
        return multiple() if kept is None else kept

    @rule(kept=backups)
    def restore(self, kept: Kept) -> None:
        self.client.restore(kept.guid, kept)

    # What workers do.

    @rule()
    def work(self) -> None:
        self.stage.work()
        self.client.look_at_backups()

    @rule()
    def finish(self) -> None:
        """Whatever is due, until nothing is."""
        while self.stage.work() is not None:
            self.client.look_at_backups()

    @rule()
    def look_after(self) -> None:
        self.stage.look_after()

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

    @rule(nth=st.integers(1, 12), moment=st.sampled_from([BEFORE, AFTER]))
    def be_overtaken(self, nth: int, moment: str) -> None:
        """A worker sleeps at a call; meanwhile another one ends what it began (F24)."""
        self.client.has_trouble = True

        def overtake() -> None:
            expire_leases()
            self.stage.work("another-worker")

        self.faults.on(None, overtake, nth=nth, moment=moment)

    @rule(guid=guids, nth=st.integers(1, 12), is_prompt=st.booleans())
    def be_deleted(self, guid: str, nth: int, is_prompt: bool) -> None:
        """A deletion comes while a worker is at a call, and may end before it (F12)."""
        self.client.has_trouble = True

        def delete() -> None:
            self.client.delete(guid)
            if is_prompt:
                self.stage.work("another-worker")

        self.faults.on(None, delete, nth=nth, moment=AFTER)

    @rule()
    def deliver(self) -> None:
        if self.faults.late:
            self._disturb_all()
            self.client.has_echoes = True
            self.faults.deliver()

    @rule(is_down=st.booleans())
    def take_host_down(self, is_down: bool) -> None:
        self.client.has_trouble = self.client.has_trouble or is_down
        self.machine.is_down = is_down

    @rule(is_down=st.booleans())
    def take_engine_down(self, is_down: bool) -> None:
        self.client.has_trouble = self.client.has_trouble or is_down
        self.stage.world.engine.is_down = is_down

    @rule(guid=guids, state=st.sampled_from(["exited", "paused", ""]))
    def meddle(self, guid: str, state: str) -> None:
        """Somebody stops, pauses or removes a container by hand (F49, F50)."""
        told = self.client.told[guid]
        if not told.is_steady:
            return
        self.client.has_trouble = told.is_disturbed = True
        container = self.stage.world.container_of(self.stage.live(guid))
        if state:
            container.state = state
        else:
            told.is_lost = True
            del self.machine.containers[container.spec.name]

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

    @rule(is_deaf=st.booleans())
    def break_the_image(self, is_deaf: bool) -> None:
        """It does not take in what a restore gives it (F102)."""
        self.client.has_trouble = self.client.has_trouble or is_deaf
        (self.machine.deaf_images.add if is_deaf else self.machine.deaf_images.discard)(
            IMAGE
        )

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
