"""Cloud Controller, as the broker sees it: its requests, its patience, its conclusions.

60 s for an answer; no second try of a request; the first poll at once; orphan
mitigation where its own code does it (CLOUD-CONTROLLER 6). Only its pauses are
shortened: 60 s between polls, and 2, 4, 8 … minutes between orphan mitigations.
"""

import http.client
import json
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.cf.ledger import Ledger
from tests.cf.router import Router

ANSWER_LIMIT_S = 60.0
POLL_S = 0.3
OPERATION_LIMIT_S = 180.0
KNOWN_422 = (
    "AsyncRequired",
    "ConcurrencyError",
    "RequiresApp",
    "MaintenanceInfoConflict",
)


class Failed(Exception):
    """What the user is told."""


@dataclass(frozen=True)
class Answer:
    """Status 0: the connection broke; 408: no answer in time."""

    status: int
    document: dict[str, Any]

    @property
    def leaves_an_orphan(self) -> bool:
        """Whether Cloud Controller deletes what it has just asked for."""
        if self.status == 422:
            return self.document.get("error") not in KNOWN_422
        return self.status == 408 or self.status >= 500 or self.status == 410


class CloudController:
    def __init__(self, router: Router, ledger: Ledger, login: tuple[str, str]) -> None:
        self._router, self.ledger = router, ledger
        self._login = b64encode(":".join(login).encode()).decode()
        self._job = str(uuid.uuid4())

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """Ask once. Anything but an accepted answer is written down as a failure."""
        target = f"{path}?{urlencode(query)}" if query else path
        started = time.monotonic()
        answer = self._send(method, target, body)
        said = f"{method} {path}: {answer.status} {answer.document}"
        is_failure = answer.status not in accept
        self.ledger.note_request(time.monotonic() - started, said if is_failure else "")
        return answer

    def _send(self, method: str, target: str, body: dict[str, Any] | None) -> Answer:
        headers = {
            "Host": self._router.hostname,
            "Authorization": f"Basic {self._login}",
            "X-Broker-Api-Version": "2.15",
            "X-Broker-Api-Request-Identity": str(uuid.uuid4()),
            "X-Vcap-Request-Id": self._job,
            "X-Api-Info-Location": "api.cf.example.com/v2/info",
            "Accept": "application/json",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._router.port, timeout=ANSWER_LIMIT_S
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            raw = response.read()
        except TimeoutError:
            return Answer(408, {})
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {"description": str(error)})
        finally:
            connection.close()
        try:
            return Answer(response.status, json.loads(raw))
        except ValueError:
            return Answer(response.status, {"description": raw[:200].decode()})

    def catalog(self) -> list[dict[str, Any]]:
        answer = self.request("GET", "/v2/catalog")
        if answer.status != 200:
            raise Failed(f"The catalog was answered {answer.status}.")
        return list(answer.document["services"])

    # Service instances

    def create(
        self, guid: str, ids: dict[str, str], parameters: dict[str, Any] | None = None
    ) -> None:
        """Raise Failed; what may be left behind is deleted then."""
        path = f"/v2/service_instances/{guid}"
        where = {"organization_guid": "org", "space_guid": "space"}
        context = {"platform": "cloudfoundry", "instance_name": guid[:8], **where}
        body = {**ids, **where, "context": context}
        if parameters:
            body["parameters"] = parameters
        query = {"accepts_incomplete": "true"}
        answer = self.request("PUT", path, body, query=query, accept=(200, 201, 202))
        if answer.status == 202:
            self._wait(path, ids, answer)
        elif answer.status not in (200, 201):
            if answer.leaves_an_orphan:
                self._mitigate(path, ids)
            raise Failed(f"create: {answer}")
        self.ledger.note_operation("provision")

    def update(
        self, guid: str, ids: dict[str, str], parameters: dict[str, Any]
    ) -> None:
        path = f"/v2/service_instances/{guid}"
        previous = {**ids, "organization_id": "org", "space_id": "space"}
        body = {**ids, "parameters": parameters, "previous_values": previous}
        query = {"accepts_incomplete": "true"}
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while time.monotonic() < deadline:
            answer = self.request(
                "PATCH", path, body, query=query, accept=(200, 202, 422)
            )
            if answer.document.get("error") != "ConcurrencyError":
                break
            time.sleep(1)  # the plan's own backup is under way: the user tries again
        if answer.status == 202:
            self._wait(path, ids, answer)
        elif answer.status != 200:
            raise Failed(f"update: {answer}")
        self.ledger.note_operation("update")

    def delete(self, guid: str, ids: dict[str, str]) -> None:
        """As a user who types it again until it is gone."""
        path = f"/v2/service_instances/{guid}"
        query = {"accepts_incomplete": "true", **ids}
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while time.monotonic() < deadline:
            answer = self.request("DELETE", path, query=query, accept=(200, 202, 410))
            if answer.status == 202:
                self._wait(path, ids, answer)
            if answer.status in (200, 202, 410):
                self.ledger.note_operation("deprovision")
                return
            time.sleep(1)
        raise Failed(f"delete: {answer}")

    def _wait(self, path: str, ids: dict[str, str], answer: Answer) -> None:
        """404, 5xx and no answer at all mean «ask again»."""
        query = dict(ids)
        if operation := answer.document.get("operation"):
            query["operation"] = operation
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while time.monotonic() < deadline:
            poll = self.request(
                "GET", f"{path}/last_operation", query=query, accept=(200, 410)
            )
            state = poll.document.get("state")
            if poll.status == 410 or (poll.status == 200 and state == "succeeded"):
                return
            if poll.status == 400 or (poll.status == 200 and state == "failed"):
                raise Failed(f"{path}: {poll.document}")
            time.sleep(POLL_S)
        raise Failed(f"{path} is in progress for {OPERATION_LIMIT_S:.0f} s")

    # Service bindings

    def bind(self, guid: str, binding: str, ids: dict[str, str]) -> dict[str, Any]:
        path = f"/v2/service_instances/{guid}/service_bindings/{binding}"
        resource = {"app_guid": "app", "space_guid": "space"}
        body = {**ids, "app_guid": "app", "bind_resource": resource}
        query = {"accepts_incomplete": "true"}
        answer = self.request("PUT", path, body, query=query, accept=(200, 201))
        if answer.status not in (200, 201):
            if answer.leaves_an_orphan:
                self._mitigate(path, ids)
            raise Failed(f"bind: {answer}")
        self.ledger.note_operation("bind")
        return dict(answer.document["credentials"])

    def unbind(self, guid: str, binding: str, ids: dict[str, str]) -> None:
        path = f"/v2/service_instances/{guid}/service_bindings/{binding}"
        query = {"accepts_incomplete": "true", **ids}
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while time.monotonic() < deadline:
            answer = self.request("DELETE", path, query=query, accept=(200, 410))
            if answer.status in (200, 410):
                self.ledger.note_operation("unbind")
                return
            time.sleep(1)
        raise Failed(f"unbind: {answer}")

    def _mitigate(self, path: str, ids: dict[str, str]) -> None:
        """Delete until it is answered 200, 202 or 410; a 202 is not polled."""
        query = {"accepts_incomplete": "true", **ids}
        for attempt in range(11):
            if attempt:
                time.sleep(min(2.0**attempt / 2, 8))
            answer = self.request("DELETE", path, query=query, accept=(200, 202, 410))
            if answer.status in (200, 202, 410):
                self.ledger.note_operation("orphan mitigation")
                return
        raise Failed(f"orphan mitigation: {answer}")
