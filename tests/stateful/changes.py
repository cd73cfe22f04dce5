"""Updates, backups and restores, and what comes of them."""

from typing import Any

from instances import errors
from instances.operations import back_up
from tests.instances.backups import OPERATOR
from tests.osbapi.base import IDS
from tests.stateful.bindings import Bindings
from tests.stateful.stage import LARGE
from tests.stateful.told import Change, Kept


class Changes(Bindings):
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
