"""What platforms, operators and workers do: one thing at a time."""

from instances.models import DockerHost, Operation
from instances.operations.levels import Level
from tests.stateful.client import Client
from tests.stateful.instances import GUIDS
from tests.stateful.stage import Stage

NAMES = ("b-1", "b-2", "b-3")
WISHES = (
    *("put", "put", "put", "put at once", "put_another", "delete", "delete at once"),
    *("bind", "bind", "bind", "bind", "unbind", "unbind", "unbind", "write", "write"),
    *("update", "back_up", "clone", "clone", "restore", "restore", "force", "forget"),
)
NEED_ONE = {"bind", "unbind", "write", "update", "back_up", "restore", "put_another"}
TOIL = ("work", "finish", "finish", "look after", "replenish", "more", "fewer")
STANDBYS = {"more": 2, "fewer": 0}


class Play:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.client = stage, Client(stage)

    def begin(self, guid: str) -> None:
        """A backup that is older than a binding, and newer than one that is gone."""
        client = self.client
        client.put(guid)
        self.toil("finish")
        client.bind(guid, "b-1")
        client.bind(guid, "b-3")
        client.write(guid, "b-1")
        client.back_up(guid)
        self.stage.come_to_rest()
        client.look_at_backups()
        client.bind(guid, "b-2")
        client.unbind(guid, "b-3")
        client.write(guid, "b-2")

    def ask(self, what: str, guid: str, which: int) -> None:
        client = self.client
        if which and what in NEED_ONE and client.told[guid].state == "absent":
            self.prepare(what, guid)
        if what in ("bind", "unbind", "write"):
            getattr(client, what)(guid, self._name(what, guid, which))
        elif what in ("clone", "restore"):
            self._use_backup(what, guid, which)
        elif what in ("force", "forget"):
            self._force(guid, Level(what))
        elif what.endswith(" at once"):
            getattr(client, what.removesuffix(" at once"))(guid, is_async=False)
        else:
            getattr(client, what)(guid)
        client.poll(guid)

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

    def _force(self, guid: str, level: Level) -> None:
        """F109: it ends, whatever cannot be removed, unless its worker is killed."""
        is_raised = self.client.force(guid, level)
        self.toil("finish")
        told = self.client.told[guid]
        if is_raised and told.state == "deleting":
            row = Operation.objects.get(pk=told.operation)
            assert row.leased_until, "a forced deletion waits for something"

    def toil(self, what: str) -> None:
        if what == "look after":
            self.stage.look_after()
        elif what == "work":
            self.stage.work()
        elif what == "finish":
            while self.stage.work() is not None:
                self.client.look_at_backups()
        else:
            self.client.keep_standbys(STANDBYS.get(what))
            self.stage.replenish()
        self.client.look_at_backups()
        for guid in GUIDS:
            self.client.poll(guid)
            self.client.poll_change(guid)

    def prepare(self, what: str, guid: str) -> None:
        """Have what is to be asked for, if nothing is in the way."""
        engine, machine = self.stage.world.engine, self.stage.world.machine
        if engine.is_down or machine.is_down or self.stage.faults.is_armed:
            return
        state = self.client.told[guid].state
        if what == "replenish":
            self.toil("fewer")
        elif what in ("put", "clone") and state != "absent":
            self.client.delete(guid)
        elif what not in ("put", "clone") and state == "absent":
            self.client.put(guid)
        self.toil("finish")
        told = self.client.told[guid]
        if what != "bind" and told.is_steady and not told.bound():
            self.client.bind(guid, NAMES[0])
        if what == "forget":
            self.lose_host()

    def lose_host(self) -> None:
        """It does not answer, and the broker knows."""
        self.client.has_trouble = self.stage.world.machine.is_down = True
        DockerHost.objects.get(pk=self.stage.host.pk).note_contact("no answer")
