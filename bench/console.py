"""The console over many rows: how long an operator waits for a page."""

import re
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from bench.report import Aim, Row
from bench.site import ADMIN, Site

INSTANCES = 10_000
WAIT = Aim(250)
NO_ENGINE = "-"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
LIST = "/admin/instances/serviceinstance/"
PAGES = {
    "overview": "/admin/",
    "instances": LIST,
    "instances, a page in the middle": f"{LIST}?p=50",
    "instances, searched by name": f"{LIST}?q=payments-orders",
    "instances, searched by guid": f"{LIST}?q={{guid}}",
    "instances, filtered by state": f"{LIST}?state__exact=failed",
    "instance": f"{LIST}{{pk}}/change/",
    "bindings": "/admin/instances/servicebinding/",
    "operations": "/admin/instances/operation/",
    "operations, failed": "/admin/instances/operation/?state__exact=failed",
    "backups": "/admin/instances/backup/",
    "containers": "/admin/instances/container/",
    "audit log": "/admin/instances/auditevent/",
}


class Browser:
    """An operator's: one connection, and the cookies of a login."""

    def __init__(self, site: Site) -> None:
        parts = urlsplit(site.url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._cookies: dict[str, str] = {}
        login = "/admin/login/"
        token = _TOKEN.search(self.get(login))
        assert token, "the login page has no form"
        form = {"csrfmiddlewaretoken": token[1], "next": "/admin/"} | ADMIN
        assert self._send("POST", login, form)[0] == 302, "the login is refused"

    def get(self, path: str) -> str:
        """Raise AssertionError unless the page is there."""
        status, text = self._send("GET", path)
        assert status == 200, f"{path} answers {status}"
        return text

    def _send(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form) if form else None
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response.status, response.read().decode()


def measure(rounds: int) -> Iterator[Row]:
    """Ten thousand instances, twice as many bindings, five times as many operations."""
    with Site(worker=False) as site:
        site.run("-m", "bench.seeding", "--instances", str(INSTANCES))
        browser = Browser(site)
        ((pk, guid),) = site.execute(
            "SELECT id, guid FROM instances_serviceinstance ORDER BY id LIMIT 1"
        )
        waits: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(rounds):
            for name, path in PAGES.items():
                started = time.monotonic()
                browser.get(path.format(pk=_dashed(pk), guid=guid))
                waits[name].append((time.monotonic() - started) * 1000)
        for name, values in waits.items():
            yield Row(f"console: {name}", NO_ENGINE, values, aim=WAIT)


def _dashed(pk: str) -> str:
    """As an address has it: SQLite keeps a UUID's digits only."""
    return "-".join((pk[:8], pk[8:12], pk[12:16], pk[16:20], pk[20:]))
