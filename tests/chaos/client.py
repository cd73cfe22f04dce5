"""A client like Cloud Controller: what it asks, retries, cleans up after, and believes.

Each method is one operation of a user. It returns whether the user got what was asked
for; whatever may have been left behind is deleted until the broker has confirmed that.
"""

import time
import uuid
from collections.abc import Callable

from tests.chaos import doors
from tests.chaos.history import Backup, Bound, History, Instance, Marker, Restore, State
from tests.chaos.lab import Site
from tests.chaos.platform import Answer, Platform

POLL_S = 0.3
OPERATION_LIMIT_S = 240.0
BUSY_LIMIT_S = 90.0
WRITE_LIMIT_S = 20.0
VERIFIED_LIMIT_S = 40.0
WHERE = {"organization_guid": "org", "space_guid": "space"}


class Client:
    def __init__(self, name: str, site: Site, history: History) -> None:
        self.name, self._site, self._history = name, site, history
        self.write_limit_s = WRITE_LIMIT_S
        self._platform = Platform(site.ports)

    def ask(self, row: Instance, method: str, path: str, body: object = None) -> Answer:
        query = {"accepts_incomplete": "true"}
        if method in ("DELETE", "GET"):
            query |= row.ids
        target = f"/v2/service_instances/{row.guid}{path}"
        answer = self._platform.request(method, target, body, **query)
        if method != "GET":
            self._say(row, f"{method} {path or '/'}: {answer}")
        return answer

    def _say(self, row: Instance, text: str) -> None:
        self._history.note(self.name, text, row.guid)

    def _patiently(
        self, row: Instance, method: str, path: str, body: Callable[[], object]
    ) -> Answer:
        """As a user who is told to try again when something else has ended."""
        deadline = time.monotonic() + BUSY_LIMIT_S
        while True:
            plan_id = row.ids["plan_id"]
            answer = self.ask(row, method, path, body())
            # The update may have ended, and who has asked for it not know that yet.
            is_stale = row.exclusive.locked() or plan_id != row.ids["plan_id"]
            is_early = answer.is_busy or (answer.status == 400 and is_stale)
            if not is_early or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    def _poll(self, row: Instance, answer: Answer) -> str:
        """succeeded, failed, gone; unknown after the longest time."""
        path = "/last_operation"
        deadline = time.monotonic() + OPERATION_LIMIT_S
        operation = str(answer.body.get("operation", ""))
        target = f"/v2/service_instances/{row.guid}{path}"
        while time.monotonic() < deadline:
            poll = self._platform.request(
                "GET",
                target,
                **row.ids,
                **({"operation": operation} if operation else {}),
            )
            state = str(poll.body.get("state", ""))
            if poll.status == 410:
                return "gone"
            if poll.status == 200 and state in ("succeeded", "failed"):
                self._say(
                    row, f"last_operation: {state} {poll.body.get('description', '')}"
                )
                return state
            if poll.status == 400:
                return "failed"
            time.sleep(POLL_S)
        self._say(row, "gives up polling")
        return "unknown"

    def _until_deleted(self, row: Instance, path: str, good: tuple[int, ...]) -> Answer:
        """Delete until that is confirmed; Cloud Controller and its users both do."""
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while True:
            answer = self.ask(row, "DELETE", path)
            if answer.status in good or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    # Service instances

    def provision(self, row: Instance, **parameters: object) -> bool:
        wish = {**row.ids, **WHERE}
        if parameters:
            wish["parameters"] = parameters
        answer = self.ask(row, "PUT", "", wish)
        state = self._poll(row, answer) if answer.status == 202 else ""
        if answer.status == 201 or state == "succeeded":
            row.state = State.LIVE
            return True
        # Orphan mitigation, or the user who deletes what has failed.
        self.delete(row)
        return False

    def provision_again(self, row: Instance) -> bool:
        """The same request, delivered again: 200, and nothing happens (I7)."""
        answer = self.ask(row, "PUT", "", {**row.ids, **WHERE})
        if 200 < answer.status < 500 and not row.is_updated and not answer.is_busy:
            if answer.status != 408:
                text = f"the same provision again was answered {answer}"
                self._history.violate("not_idempotent", row.guid, text)
        return True

    def delete(self, row: Instance) -> bool:
        row.state = State.DELETING
        for binding in row.bindings:
            if binding.state != State.DELETED:
                binding.state = State.DELETING
        answer = self._until_deleted(row, "", (200, 202, 410))
        state = self._poll(row, answer) if answer.status == 202 else "gone"
        is_done = answer.status in (200, 202, 410) and state in ("succeeded", "gone")
        # A deletion that was accepted is done some day, polled or not.
        row.state = State.DELETED if answer.status in (200, 202, 410) else State.UNKNOWN
        for binding in row.bindings:
            binding.state = row.state
        return is_done

    def update(self, row: Instance, plan_id: str) -> bool:
        row.is_updated = True
        body = {"service_id": row.ids["service_id"], "plan_id": plan_id}
        answer = self._patiently(row, "PATCH", "", lambda: body)
        state = self._poll(row, answer) if answer.status == 202 else ""
        if answer.status == 200 or state == "succeeded":
            row.ids = {**row.ids, "plan_id": plan_id}
            return True
        return False

    # Bindings

    def bind(self, row: Instance) -> bool:
        binding = Bound(str(uuid.uuid4()))
        row.bindings.append(binding)
        path = f"/service_bindings/{binding.guid}"
        answer = self._patiently(
            row, "PUT", path, lambda: {**row.ids, "app_guid": "app"}
        )
        if answer.status not in (200, 201):
            self._unbind(row, binding)
            return False
        binding.credentials = answer.body["credentials"]
        binding.state = State.LIVE
        return self.use(row, binding)

    def bind_again(self, row: Instance, binding: Bound) -> bool:
        """Delivered again: the same credentials (I7)."""
        path = f"/service_bindings/{binding.guid}"
        answer = self.ask(row, "PUT", path, {**row.ids, "app_guid": "app"})
        if answer.status in (200, 201):
            if answer.body["credentials"] != binding.credentials:
                text = f"binding {binding.guid} has other credentials the second time"
                self._history.violate("not_idempotent", row.guid, text)
        return True

    def unbind(self, row: Instance, binding: Bound) -> bool:
        binding.state = State.DELETING
        return self._unbind(row, binding)

    def _unbind(self, row: Instance, binding: Bound) -> bool:
        path = f"/service_bindings/{binding.guid}"
        answer = self._until_deleted(row, path, (200, 410))
        if answer.status not in (200, 410):
            binding.state = State.UNKNOWN
            return False
        binding.state = State.DELETED
        if binding.credentials:
            self._see_refused(row, binding)
        return True

    def _see_refused(self, row: Instance, binding: Bound) -> None:
        try:
            doors.knock(binding.credentials)
        except (doors.Refused, doors.Down):
            return  # what is down now is knocked at again in the end
        text = f"binding {binding.guid} still lets in, right after its unbind"
        self._history.violate("live_after_unbind", row.guid, text)

    def use(self, row: Instance, binding: Bound) -> bool:
        """Write a number down. A database that is down is waited for a little."""
        deadline = time.monotonic() + self.write_limit_s
        while True:
            marker = Marker(self._history.number(), time.time())
            row.markers.append(marker)
            try:
                doors.write(binding.credentials, marker.number)
                marker.ended = time.time()
                return True
            except (doors.Refused, doors.Down) as error:
                said = f"{type(error).__name__}: {error}"
            if time.monotonic() > deadline or row.state != State.LIVE:
                self._say(row, f"binding {binding.guid} cannot write: {said}")
                return True
            time.sleep(0.5)

    # Backups

    def back_up(self, row: Instance) -> bool:
        began = time.time()
        answer = self._patiently(row, "PATCH", "", lambda: self._wish(row, backup={}))
        state = self._poll(row, answer) if answer.status == 202 else ""
        if state == "succeeded":
            operation = str(answer.body["operation"])
            row.backups.append(Backup(operation, began, time.time()))
        return state == "succeeded"

    def restore(self, row: Instance, backup: Backup) -> bool:
        pk = self._verified(backup)
        if not pk:
            return True  # not proved yet: nothing was asked of the broker
        done = Restore(backup, time.time())
        row.restores.append(done)
        wish = self._wish(row, restore={"backup": pk})
        answer = self._patiently(row, "PATCH", "", lambda: wish)
        if answer.status == 400 or answer.is_busy:
            row.restores.remove(done)
            return answer.is_busy
        state = self._poll(row, answer) if answer.status == 202 else "unknown"
        if state in ("succeeded", "failed"):
            done.ended = time.time()
        return state == "succeeded"

    def _wish(self, row: Instance, **parameters: object) -> dict[str, object]:
        return {"service_id": row.ids["service_id"], "parameters": parameters}

    def _verified(self, backup: Backup) -> str:
        """Its id once it is proved; empty if that takes too long."""
        sql = "SELECT id, operation_id, state FROM instances_backup"
        deadline = time.monotonic() + VERIFIED_LIMIT_S
        while time.monotonic() < deadline:
            for pk, operation, state in self._rows(sql):
                if uuid.UUID(str(operation)).hex == backup.operation:
                    if state == "verified":
                        return str(uuid.UUID(str(pk)))
                    if state in ("failed", "gone", "missing"):
                        return ""
            time.sleep(1)
        return ""

    def _rows(self, sql: str) -> list[tuple[object, ...]]:
        try:
            return self._site.rows(sql)
        except Exception:  # the database is down just now
            return []
