"""What goes wrong: at one call, and how its caller sees it, or from outside."""

from collections.abc import Callable
from typing import Any

from instances import errors
from instances.models import Container, PortLease, ServiceBinding
from tests.fakes import AFTER, BEFORE, IMAGE, Late, expire_leases
from tests.fakes.faults import Faults
from tests.stateful.client import Client
from tests.stateful.passing import expire_claims

ENGINES = {
    *("check", "create_database", "update_database", "former_settings"),
    *("restore_settings", "create_user", "drop_user", "real_data_path"),
    *("leave_witness", "remove_witness", "inventory", "set_read_only"),
}
CHANGING = {
    *("create", "start", "restart", "stop", "limit", "remove", "discard", "commit"),
    *("resume", "remove_image", "write_archive", "create_database"),
    *("update_database", "restore_settings", "create_user", "drop_user"),
    *("leave_witness", "remove_witness", "set_read_only"),
}
LOOKS_FIRST = {"remove_witness"}
"""It changes nothing where nothing is left: of a clone, it is asked for a day."""
TAKES_WORDS = {"commit", "write_archive"}
KINDS = ("killed before", "killed after", "refused", "lost", "late")
MEANWHILE = ("overtaken", "deleted", "deleted late", "handed out", "unbound")
HOW = (*KINDS, *KINDS, *MEANWHILE)
DOWN = ("host", "engine", "image")


class Trouble:
    def __init__(self, client: Client) -> None:
        self.client, self._stage = client, client.stage
        self._faults, self._machine = client.stage.faults, client.stage.world.machine

    def arm(self, how: str, nth: int, guid: str, call: str | None = None) -> None:
        """Something happens at the nth call from now, of this name or of any."""
        self.client.has_trouble = True
        if how in MEANWHILE:
            act = self._interruption(how, guid)
            moment = BEFORE if how == "unbound" else AFTER
            return self._faults.on(call, act, nth=nth, moment=moment)
        moment = AFTER if how in ("killed after", "lost") else BEFORE
        self._faults.on(call, _action(self._faults, how), nth=nth, moment=moment)

    def _interruption(self, how: str, guid: str) -> Callable[[], None]:
        """A worker sleeps at a call; meanwhile another one, or a platform, acts.

        F12, F24.
        """

        def act() -> None:
            if how in ("overtaken", "handed out"):
                expire_leases()
                expire_claims()
            if how == "handed out":
                self._hand_out(guid)
            elif how == "unbound":
                self._unbind()
            elif how != "overtaken":
                self.client.delete(guid)
            if how != "deleted late":
                self._stage.work("another-worker")

        return act

    def _hand_out(self, guid: str) -> None:
        """Another worker gets a standby ready, and an instance takes it."""
        self._stage.replenish()
        absent = [
            name for name, row in self.client.told.items() if row.state == "absent"
        ]
        if not self.client.is_asking:
            self.client.put(absent[0] if absent else guid)

    def _unbind(self) -> None:
        """What is being bound (F68)."""
        for row in ServiceBinding.objects.filter(state="creating"):
            self.client.unbind(row.instance.guid, row.guid)

    def deliver(self) -> None:
        """What was late is executed."""
        if self._faults.late:
            for told in self.client.told.values():
                told.is_disturbed = True
            self.client.has_echoes = True
            self._faults.deliver()

    def meddle(self, what: str, which: int) -> None:
        if what in DOWN:
            self._take_down(what, is_down=bool(which % 2))
        elif what == "a port":
            self._meet_a_stranger(20000 + which % 4)
        else:
            self._lay_hands_on(what, ("exited", "paused", "")[which % 3])

    def _take_down(self, what: str, *, is_down: bool) -> None:
        """An image that is down does not take in what a restore gives it (F102)."""
        self.client.has_trouble = self.client.has_trouble or is_down
        if what == "host":
            self._machine.is_down = is_down
        elif what == "engine":
            self._stage.world.engine.is_down = is_down
        else:
            self._machine.deaf_images = {IMAGE} if is_down else set()

    def _lay_hands_on(self, guid: str, state: str) -> None:
        """Somebody stops, pauses or removes a container by hand (F49, F50)."""
        told = self.client.told.get(guid)
        if told is None:
            name = next((row.name for row in Container.objects.standbys()), "")
        elif told.is_steady:
            name = self._stage.live(guid).container.name
            told.is_disturbed, told.is_lost = True, not state
        else:
            return
        container = self._machine.containers.get(name)
        if container is None:
            return
        self.client.has_trouble = True
        container.state = state
        if not state:
            del self._machine.containers[name]

    def _meet_a_stranger(self, number: int) -> None:
        """Another program takes a port, or gives it back (F54)."""
        self.client.has_trouble = True
        address = (self._stage.host.publish_address, number)
        self._machine.strangers ^= {address}
        lease = PortLease.objects.filter(number=number, container__isnull=False).first()
        if lease is not None and address in self._machine.strangers:
            self._free(number)

    def _free(self, number: int) -> None:
        """Two programs do not listen on one port: it was down before."""
        for container in self._machine.running():
            if container.spec.publish_port == number:
                self._machine.strangers -= {container.address}


def _action(faults: Faults, kind: str) -> Callable[[], Any]:
    def act() -> None:
        if kind.startswith("killed"):
            faults.kill()
        call = faults.calls[-1]
        error = _unreachable(call)
        if kind == "late" and call in CHANGING - TAKES_WORDS:
            raise Late(error)
        raise error

    return act


def _unreachable(call: str) -> errors.BrokerError:
    if call in ENGINES:
        return errors.EngineUnreachable(detail=f"{call}: no answer")
    return errors.HostUnreachable(detail=f"{call}: no answer")
