"""What a platform asks of service bindings, and is told of them."""

from typing import Any

from instances.models import Backup
from tests.osbapi.base import IDS
from tests.stateful.instances import Instances
from tests.stateful.told import Binding, Instance


class Bindings(Instances):
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
        elif told.is_steady and not (self.has_trouble or self._is_held(guid)):
            raise AssertionError(f"it can be bound: {answer.content}")
        elif told.state == "ready" or code < 400:
            assert code == 422, (code, answer.content)

    def _is_held(self, guid: str) -> bool:
        """By a backup: nobody logs in while the data is committed (F88)."""
        mine = [kept.pk for kept in self.kept if kept.guid == guid]
        return Backup.objects.filter(pk__in=mine, state="taking").exists()

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
