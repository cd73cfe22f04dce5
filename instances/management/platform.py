"""A platform's side of the Open Service Broker API, for the demo and the bench.

It calls a broker as Cloud Foundry does: HTTP Basic with the first request,
accepts_incomplete, then last_operation. It needs no Django.
"""

import json
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

ANSWER_LIMIT_S = 60.0
"""As long as Cloud Controller waits for an answer."""
OPERATION_LIMIT_S = 120.0


class PlatformError(Exception):
    """A sentence that says what the broker did not do."""


class Platform:
    """A platform that has registered the broker at the URL."""

    def __init__(
        self, url: str, username: str, password: str, *, poll_s: float = 0.1
    ) -> None:
        self.url = url.rstrip("/")
        self.poll_s = poll_s
        login = b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/json",
            "X-Broker-API-Version": "2.17",
        }

    def catalog(self) -> list[dict[str, Any]]:
        """The offerings. Raise PlatformError."""
        _, document = self.call("GET", "/v2/catalog")
        return list(document["services"])

    def call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> tuple[int, dict[str, Any]]:
        """Status and document. Raise PlatformError if the status is not accepted."""
        target = f"{path}?{urlencode(query)}" if query else path
        status, raw = self._send(method, target, body)
        if status == 401:
            raise PlatformError(
                f"The broker at {self.url} does not take this user name and password."
            )
        try:
            document = json.loads(raw)
        except ValueError:
            document = {"description": "no JSON came with it"}
        if status not in accept:
            said = document.get("description", "")
            raise PlatformError(f"{method} {path} was answered {status}: {said}")
        return status, document

    def _send(
        self, method: str, target: str, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_LIMIT_S)
        payload = None if body is None else json.dumps(body)
        try:
            connection.request(method, parts.path + target, payload, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as error:
            raise PlatformError(
                f"No broker answers at {self.url} ({error}): is the site running?"
            ) from error
        finally:
            connection.close()


@dataclass
class Instance:
    """One service instance, from provision to deprovision."""

    platform: Platform
    offering_id: str
    plan_id: str
    name: str
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    polls: int = 0
    """How often last_operation has been asked."""

    @property
    def _path(self) -> str:
        return f"/v2/service_instances/{self.guid}"

    @property
    def _ids(self) -> dict[str, str]:
        return {"service_id": self.offering_id, "plan_id": self.plan_id}

    def provision(self) -> str:
        """Ask for it; return the operation to wait for, empty if it is done."""
        where = {"organization_guid": self.name, "space_guid": self.name}
        context = {"platform": "cloudfoundry", "instance_name": self.name, **where}
        _, document = self.platform.call(
            "PUT",
            self._path,
            body={**self._ids, **where, "context": context},
            query={"accepts_incomplete": "true"},
            accept=(201, 202),
        )
        return str(document.get("operation", ""))

    def wait_for(self, operation: str, *, limit_s: float = OPERATION_LIMIT_S) -> None:
        """Ask until it has succeeded. Raise PlatformError with the broker's reason."""
        deadline = time.monotonic() + limit_s
        path = f"{self._path}/last_operation"
        query = {"operation": operation, **self._ids}
        while operation:
            self.polls += 1
            status, document = self.platform.call(
                "GET", path, query=query, accept=(200, 410)
            )
            if status == 410 or document["state"] == "succeeded":
                return
            if document["state"] == "failed":
                said = document.get("description", "without a reason")
                raise PlatformError(f"The broker gave up: {said}")
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The operation is not done after {limit_s:.0f} s:"
                    " is a worker running?"
                )
            time.sleep(self.platform.poll_s)

    def bind(self, guid: str) -> dict[str, Any]:
        """The credentials for an app."""
        _, document = self.platform.call(
            "PUT",
            f"{self._path}/service_bindings/{guid}",
            body={**self._ids, "bind_resource": {"app_guid": self.name}},
            accept=(200, 201),
        )
        return dict(document["credentials"])

    def unbind(self, guid: str) -> None:
        """Return whether or not the binding was still there."""
        path = f"{self._path}/service_bindings/{guid}"
        self.platform.call("DELETE", path, query=self._ids, accept=(200, 410))

    def deprovision(self) -> str:
        """Ask for it; return the operation to wait for, empty if it is gone."""
        _, document = self.platform.call(
            "DELETE",
            self._path,
            query={"accepts_incomplete": "true", **self._ids},
            accept=(200, 202, 410),
        )
        return str(document.get("operation", ""))
