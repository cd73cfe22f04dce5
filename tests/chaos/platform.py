"""Cloud Controller and the router before the broker: one request, one answer.

Sixty seconds for an answer, no second try of a request but where nobody listens, and
what it concludes from an answer (CLOUD-CONTROLLER 6).
"""

import http.client
import json
import random
import uuid
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.system.site import PASSWORD

ANSWER_LIMIT_S = 60.0
LOGIN = b64encode(f"platform:{PASSWORD}".encode()).decode()


@dataclass(frozen=True)
class Answer:
    """Status 0: the line broke; 408: no answer in time."""

    status: int
    body: dict[str, Any]

    @property
    def is_busy(self) -> bool:
        """The user is told to try again, and nothing has happened."""
        return self.status == 422 and self.body.get("error") == "ConcurrencyError"

    def __str__(self) -> str:
        return f"{self.status} {self.body.get('description', '')}".strip()


class Platform:
    def __init__(self, ports: list[int]) -> None:
        self._ports = ports

    def request(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        target = f"{path}?{urlencode(query)}" if query else path
        ports = random.sample(self._ports, len(self._ports))
        for port in ports:
            try:
                return self._send(port, method, target, body)
            except ConnectionRefusedError:
                continue  # gorouter asks the next one
        return Answer(502, {"description": "nobody listens"})

    def _send(self, port: int, method: str, target: str, body: Any) -> Answer:
        headers = {
            "Authorization": f"Basic {LOGIN}",
            "X-Broker-Api-Version": "2.15",
            "X-Broker-Api-Request-Identity": str(uuid.uuid4()),
            "Content-Type": "application/json",
        }
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
        try:
            payload = None if body is None else json.dumps(body)
            line.request(method, target, payload, headers)
            response = line.getresponse()
            raw = response.read()
            return Answer(response.status, json.loads(raw))
        except ConnectionRefusedError:
            raise
        except TimeoutError:
            return Answer(408, {})
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(0, {"description": repr(error)})
        finally:
            line.close()

    def is_there(self) -> bool:
        """Whether each of them answers."""
        for port in self._ports:
            try:
                if self._send(port, "GET", "/v2/catalog", None).status != 200:
                    return False
            except OSError:
                return False
        return True
