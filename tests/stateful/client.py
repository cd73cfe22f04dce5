"""A platform that remembers what it was told, and holds the broker to it."""

from collections.abc import Callable
from typing import Any

from instances import errors
from instances.models import Backup
from instances.operations import back_up
from tests.instances.backups import OPERATOR
from tests.osbapi.base import IDS
from tests.stateful.stage import LARGE, Stage
from tests.stateful.told import Binding, Change, Instance, Kept

GUIDS = ("i-1", "i-2")


class Client:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.told = {guid: Instance() for guid in GUIDS}
        self.revoked: list[dict[str, Any]] = []
        self.kept: list[Kept] = []
        self.has_trouble = False
        """Since all was last well: without it, nothing may fail."""
        self.has_echoes = False
        """Calls that were late have been executed since."""

    def send(self, request: Callable[..., Any], *args: Any, **changes: Any) -> Any:
        """The answer; None if the process was killed before it had given one."""
        answer = None
        with self.stage.faults.burial():
            answer = request(*args, **changes)
        if answer is None or answer.status_code >= 500:
            assert self.has_trouble, f"nothing was wrong: {answer and answer.content}"
        return answer

    # Instances.

    def put(self, guid: str, *, is_async: bool = True) -> None:
        told = self.told[guid]
        answer = self.send(self.stage.put, guid, is_async=is_async)
        if answer is None or answer.status_code >= 500:
            if told.state == "absent":
                told.state = "unknown"
            return
        code, name = answer.status_code, answer.json().get("operation", "")
        if told.state == "unknown" and code in (200, 201, 202):
            self._may_be_another(guid, is_new=code != 200)
            told = self.told[guid]
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
        else:
            assert told.state != "absent" or not is_async, f"refused: {answer.content}"

    def _may_be_another(self, guid: str, *, is_new: bool) -> None:
        """The one that it knew may have gone while it was not told."""
        told = self.told[guid]
        if is_new:
            self.revoked += told.end()
        told.rows = (0, told.rows[1])
        for known in told.bindings.values():
            known.state = "unknown"

    def _put_while_deleting(self, guid: str, code: int, name: str) -> None:
        """422 until it is gone; then it is a new one."""
        if code in (201, 202):
            self._is_gone(guid)
            self.told[guid].state, self.told[guid].operation = "asked", name
            if code == 201:
                self._is_ready(guid)
        else:
            assert code == 422, code

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

    def _is_gone(self, guid: str) -> None:
        """I5, I9: at this moment, not only in the end."""
        dead = self.told[guid].end()
        assert not any(map(self.stage.accepts, dead)), "gone, and it lets an app in"
        self.revoked += dead

    # Bindings.

    def bind(self, guid: str, name: str) -> None:
        told = self.told[guid]
        if told.change is not None and told.change.plan:
            return  # Cloud Controller waits until it knows which plan it is.
        plan = told.plan or IDS["plan_id"]
        answer = self.send(self.stage.bind, name, instance=guid, plan_id=plan)
        known = told.bindings.get(name)
        if answer is None or answer.status_code >= 500:
            if known is None:
                told.bindings[name] = Binding()
            return
        code = answer.status_code
        if code in (200, 201):
            self._is_bound(guid, name, code, answer.json()["credentials"])
        elif told.is_steady and not self.has_trouble:
            raise AssertionError(f"it can be bound: {answer.content}")
        elif told.state == "ready" or code < 400:
            assert code == 422, (code, answer.content)

    def _is_bound(self, guid: str, name: str, code: int, made: dict[str, Any]) -> None:
        told = self.told[guid]
        known = told.bindings.get(name)
        if known is not None and known.state == "bound":
            assert code == 200 and made == known.credentials, "a repeat is the same"
        told.bindings[name] = Binding("bound", made)
        if told.state == "unknown":
            told.is_disturbed = True
        if code == 201:
            assert self.stage.accepts(made), "they do not work"

    def unbind(self, guid: str, name: str) -> None:
        told = self.told[guid]
        answer = self.send(self.stage.unbind, name, instance=guid)
        known = told.bindings.get(name)
        if answer is None or answer.status_code >= 500:
            if known is not None:
                known.state = "unknown"
            return
        code = answer.status_code
        if code == 410 and told.state == "ready" and known is not None:
            assert known.state != "bound", "it was told of"
        if code in (200, 410):
            self._is_unbound(told, name)
        else:
            assert code == 422, (code, answer.content)

    def _is_unbound(self, told: Instance, name: str) -> None:
        known = told.bindings.pop(name, None)
        if known is not None and known.credentials is not None:
            assert not self.stage.accepts(known.credentials), "they still work"
            self.revoked.append(known.credentials)

    def write(self, guid: str, name: str) -> None:
        told = self.told[guid]
        known = told.bindings.get(name)
        if known is None or known.state != "bound" or not told.is_steady:
            return
        assert known.credentials is not None
        least, most = told.rows
        assert least <= self.stage.count(known.credentials) <= most, "data is missing"
        if self.stage.write(known.credentials):
            found = self.stage.count(known.credentials)
            told.rows = (found, found)

    # Changes.

    def update(self, guid: str) -> None:
        """Another plan, or back to the first one."""
        told = self.told[guid]
        if not told.is_steady:
            return
        plan = LARGE if told.plan == IDS["plan_id"] else IDS["plan_id"]
        told.is_updated = True
        body = {"service_id": IDS["service_id"], "plan_id": plan}
        self._change(guid, body, Change("", plan=plan))

    def restore(self, guid: str, kept: Kept) -> None:
        told = self.told[guid]
        is_mine = (kept.guid, kept.incarnation) == (guid, told.incarnation)
        if not (told.is_steady and is_mine):
            return
        self.look_at_backups()
        wish = {"restore": {"backup": str(kept.pk)}}
        body = {"service_id": IDS["service_id"], "parameters": wish}
        most = told.rows[1] if kept.most is None else kept.most
        self._change(guid, body, Change("", (kept.least, most)))

    def _change(self, guid: str, body: dict[str, Any], change: Change) -> None:
        told = self.told[guid]
        answer = self.send(self.stage.patch, guid, body)
        if answer is None or answer.status_code >= 500:
            told.change = change
        elif answer.status_code == 202:
            change.operation = answer.json()["operation"]
            told.change = change
        else:
            assert answer.status_code in (200, 400, 422), answer.content

    def poll_change(self, guid: str) -> None:
        told = self.told[guid]
        change = told.change
        if told.state != "ready" or change is None or not change.operation:
            return
        state = self._poll(guid, change.operation)
        if state not in ("succeeded", "failed"):
            return
        told.change = None
        if state == "succeeded" and change.rows is not None:
            told.rows = change.rows
        if state == "succeeded":
            told.plan = change.plan or told.plan
        if state == "failed":
            assert self.has_trouble, "it failed, and nothing was wrong"
            told.is_disturbed = True

    def give_up_change(self, guid: str) -> None:
        """Nobody knows what has come of it: either of both may be."""
        told = self.told[guid]
        if told.change is not None and told.change.rows is not None:
            least, most = told.change.rows
            told.rows = (min(least, told.rows[0]), max(most, told.rows[1]))
        if told.change is not None and told.change.plan:
            answer = self.send(self.stage.get, f"/v2/service_instances/{guid}")
            assert answer.status_code == 200, answer.content
            told.plan = answer.json()["plan_id"]
        told.change = None

    def back_up(self, guid: str) -> Kept | None:
        told = self.told[guid]
        if not told.is_steady:
            return None
        try:
            backup = back_up.accept(self.stage.live(guid), **OPERATOR)
        except errors.ConcurrencyError:
            return None
        kept = Kept(backup.pk, guid, told.incarnation, told.rows[0])
        self.kept.append(kept)
        return kept

    def look_at_backups(self) -> None:
        """What is taken holds no row that is written later."""
        for kept in self.kept:
            if kept.most is not None:
                continue
            told = self.told[kept.guid]
            if kept.incarnation != told.incarnation:
                kept.most = kept.least
            elif Backup.objects.get(pk=kept.pk).state != "taking":
                kept.most = told.rows[1]
