"""A create that is served after its platform has given it up and deleted it."""

import json
import os
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests.ports import free_port
from tests.system.site import PASSWORD, Site, wait_for


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(web_workers=1) as site:
        yield site


def send(site: Site, guid: str, **headers: str) -> socket.socket:
    """The request, as a client that does not wait: the kernel takes it in."""
    body = json.dumps(site.ids | {"organization_guid": "o", "space_guid": "s"})
    login = b64encode(f"platform:{PASSWORD}".encode()).decode()
    lines = [
        f"PUT /v2/service_instances/{guid}?accepts_incomplete=true HTTP/1.1",
        "Host: broker",
        f"Authorization: Basic {login}",
        "X-Broker-API-Version: 2.17",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        *("", body),
    ]
    line = socket.create_connection(("127.0.0.1", site.http_port), timeout=30)
    line.sendall("\r\n".join(lines).encode())
    return line


class TestLate:
    def test_it_is_refused(self, site: Site) -> None:
        """F5, I10: with the router's word of its age, and without."""
        (first,) = site._processes
        os.killpg(first.pid, signal.SIGSTOP)
        now = f"{time.time() * 1000:.0f}"
        for line in (
            send(site, "routed", **{"X-Request-Start": now}),
            send(site, "direct"),
            send(site, "other", **{"X-Request-Start": now}),
        ):
            line.close()  # The platform's time is over.
        site.http_port = free_port()
        site.start_web()
        for guid in ("routed", "direct"):
            assert site.deprovision(guid).status == 410
        os.killpg(first.pid, signal.SIGCONT)
        wait_for(lambda: site.log().count("answered 409 Conflict") == 2, "refusals")
        created = "SELECT guid FROM instances_serviceinstance"
        wait_for(lambda: site.rows(created), "the one that nobody has deleted")
        assert site.rows(created) == [("other",)]
