"""What a platform asks of service instances, and is told of them."""

from collections.abc import Callable
from typing import Any

from instances.models import Backup
from tests.stateful.stage import Stage
from tests.stateful.told import Instance, Kept

GUIDS = ("i-1", "i-2")
ANY_NUMBER = 10**6


class Instances:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.told = {guid: Instance() for guid in GUIDS}
        self.revoked: list[dict[str, Any]] = []
        self.owed: list[dict[str, Any]] = []
        """Of instances that were forced away: revoked as soon as all is well."""
        self.is_asking = False
        self.kept: list[Kept] = []
        self.has_trouble = False
        """Since all was last well: without it, nothing may fail."""
        self.has_echoes = False
        """Calls that were late have been executed since."""

    def send(self, request: Callable[..., Any], *args: Any, **changes: Any) -> Any:
        """The answer; None if the process was killed before it had given one."""
        answer = None
        before, self.is_asking = self.is_asking, True
        with self.stage.faults.burial():
            answer = request(*args, **changes)
        self.is_asking = before
        if answer is None or answer.status_code >= 500:
            assert self.has_trouble, f"nothing was wrong: {answer and answer.content}"
        return answer

    def put(
        self, guid: str, *, is_async: bool = True, kept: Kept | None = None
    ) -> None:
        """What it knows already, it asks for as before."""
        told = self.told[guid]
        if told.state == "absent":
            self.look_at_backups()
            told.begin(kept)
        wish = self._wish(told.begun_with)
        answer = self.send(self.stage.put, guid, is_async=is_async, **wish)
        if answer is None or answer.status_code >= 500:
            if told.state == "absent":
                told.state = "unknown"
            return
        code, name = answer.status_code, answer.json().get("operation", "")
        if told.state == "unknown" and code in (200, 201, 202):
            self._may_be_another(guid, is_new=code != 200)
        if told.state == "ready":
            expected = (200, 409) if told.is_updated else (200,)
            assert code in expected, f"a repeat of what is ready: {code}"
        elif told.state == "asked":
            assert code != 202 or name == told.operation, "a repeat has another one"
            assert code in (200, 202, 409, 422), code
            if code == 200:
                self._is_ready(guid)
        elif told.state == "deleting":
            self._put_while_deleting(guid, code, name)
        elif code == 202:
            told.state, told.operation = "asked", name
        elif code in (200, 201):
            self._is_ready(guid)
        elif told.state == "absent" and is_async and self._can_begin(told.begun_with):
            raise AssertionError(f"refused: {answer.content}")

    def _wish(self, kept: Kept | None) -> dict[str, Any]:
        if kept is None:
            return {}
        return {"parameters": {"restore_from": {"backup": str(kept.pk)}}}

    def _can_begin(self, kept: Kept | None) -> bool:
        if kept is None:
            return True
        plan, row = self.stage.plan, Backup.objects.get(pk=kept.pk)
        return row.state == "verified" and row.memory_mb <= plan.memory_mb

    def _may_be_another(self, guid: str, *, is_new: bool) -> None:
        """The one that it knew may have gone while it was not told."""
        told = self.told[guid]
        if is_new:
            self._bury(told)
            told.begin(told.begun_with)
        else:
            told.rows = (0, told.rows[1])
        for known in told.bindings.values():
            known.state = "unknown"

    def _put_while_deleting(self, guid: str, code: int, name: str) -> None:
        """422 until it is gone; then it is a new one."""
        if code in (201, 202):
            self._is_gone(guid)
            told = self.told[guid]
            told.begin(told.begun_with)
            told.state, told.operation = "asked", name
            if code == 201:
                self._is_ready(guid)
        else:
            is_another = code == 409 and self.told[guid].is_updated
            assert code == 422 or is_another, code

    def put_another(self, guid: str) -> None:
        """The same id with something else: 409, and nothing has changed (F9)."""
        if self.told[guid].state in ("asked", "ready"):
            answer = self.send(self.stage.put, guid, space_guid="another")
            if answer is not None and answer.status_code < 500:
                assert answer.status_code == 409, answer.status_code

    def delete(self, guid: str, *, is_async: bool = True) -> None:
        told = self.told[guid]
        answer = self.send(self.stage.delete, guid, is_async=is_async)
        if answer is None:
            told.state = "absent" if told.state == "absent" else "unknown"
            return
        code = answer.status_code
        if code == 410:
            assert told.state in ("absent", "unknown", "deleting"), "it was told of"
            self._is_gone(guid)
        elif code == 200:
            self._is_gone(guid)
        elif code in (202, 500):
            # A deletion that has been accepted goes on, whatever is said of it.
            told.state = "deleting"
            told.operation = answer.json().get("operation", "")
        else:
            assert code == 422 and not is_async, (code, answer.content)

    def poll(self, guid: str) -> None:
        told = self.told[guid]
        if told.state not in ("asked", "deleting") or not told.operation:
            return
        state = self._poll(guid, told.operation)
        if state is None or state == "in progress":
            return
        if told.state == "deleting":
            assert state == "succeeded", "a deletion is not given up"
            self._is_gone(guid)
        elif state == "succeeded":
            self._is_ready(guid)
        else:
            assert self.has_trouble, "it failed, and nothing was wrong"
            told.state = "failed"

    def _poll(self, guid: str, operation: str) -> str | None:
        answer = self.send(self.stage.poll, guid, operation=operation)
        if answer is None or answer.status_code >= 500:
            return None
        assert answer.status_code == 200, answer.content
        return str(answer.json()["state"])

    def _is_ready(self, guid: str) -> None:
        told = self.told[guid]
        told.state = "ready"
        if not (told.is_disturbed or self.stage.world.machine.is_down):
            instance = self.stage.live(guid)
            container = self.stage.world.container_of(instance)
            assert container.state == "running", "ready, and it does not run"
            self._lets_nobody_else_in(guid)

    def _lets_nobody_else_in(self, guid: str) -> None:
        """F98: the data of another one came without its users."""
        container = self.stage.live(guid).container
        address = {"host": container.host.database_host, "port": container.port}
        others = [told for name, told in self.told.items() if name != guid]
        known = [row.credentials for told in others for row in told.bindings.values()]
        for credentials in filter(None, [*known, *self.revoked, *self.owed]):
            theirs = {**credentials, **address}
            assert not self.stage.accepts(theirs), "another's users came along"

    def _is_gone(self, guid: str) -> None:
        """I5, I9: at this moment, not only in the end."""
        dead = self._bury(self.told[guid])
        assert not any(map(self.stage.accepts, dead)), "gone, and it lets an app in"

    def _bury(self, told: Instance) -> list[dict[str, Any]]:
        """Return what must not work from now on.

        What was forced may have left a debt, which is paid when all is well again.
        """
        is_debt = told.is_forced and self.has_trouble
        dead = told.end()
        if is_debt:
            self.owed += dead
            return []
        self.revoked += dead
        return dead

    def look_at_backups(self) -> None:
        """What is taken holds no row that is written later."""
        for kept in self.kept:
            told = self.told[kept.guid]
            if kept.most is not None:
                continue
            if kept.incarnation != told.incarnation:
                kept.most = ANY_NUMBER
            elif Backup.objects.get(pk=kept.pk).state != "taking":
                kept.most = told.rows[1]
