"""Backups as files, through gunicorn: streamed, bounded, and broken off at will."""

import hashlib
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.system import backups
from tests.system.site import Site, wait_for

PASSWORD = "an-operator-for-tests-0123456789"
MOST = 2
"""Transfers that a process carries."""


class Console:
    """An operator's browser."""

    def __init__(self, site: Site) -> None:
        self.base = f"http://127.0.0.1:{site.http_port}"
        self.session = requests.Session()
        self.session.trust_env = False
        login = f"{self.base}/admin/login/"
        form = {"username": "olga", "password": PASSWORD, "next": "/admin/"}
        found = self.session.post(login, {**form, **self.token("/admin/login/")})
        assert found.ok
        assert "sessionid" in self.session.cookies

    def token(self, path: str) -> dict[str, str]:
        page = self.session.get(self.base + path).text
        (found, *_) = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page)
        return {"csrfmiddlewaretoken": found}

    def post(self, path: str, page: str) -> requests.Response:
        return self.session.post(
            self.base + path, self.token(page), stream=True, timeout=200
        )

    def put(self, path: str, content: Any) -> requests.Response:
        token = self.token(path)["csrfmiddlewaretoken"]
        return self.session.put(
            f"{self.base}{path}?days=3",
            content,
            headers={"X-CSRFToken": token},
            timeout=200,
        )


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site(web_workers=1)
    made._environment |= {"ADMIN_USERNAME": "olga", "ADMIN_PASSWORD": PASSWORD}
    # The console's pages name its files.
    made.manage("collectstatic", "--noinput")
    with made:
        yield made


def memory_of(site: Site) -> int:
    """The most that a web process has had, in MiB."""
    most = 0
    for process in site._processes:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        for pid in children.split():
            status = Path(f"/proc/{pid}/status").read_text()
            most = max(most, int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024)
    return most


@pytest.mark.timeout(400)
def test_a_backup_leaves_and_comes_back_while_others_are_served(site: Site) -> None:
    site.start_worker()
    site.provisioned("i")
    backups.back_up(site, "i")
    pk = uuid.UUID(backups.wait_until_verified(site))
    console = Console(site)
    base = f"/admin/instances/backup/{pk}"
    page = f"{base}/off-host/"

    # As many as may, read by nobody; the platform is served meanwhile.
    held = [console.post(f"{base}/download/", page) for _ in range(MOST)]
    assert all(found.headers["Content-Type"] == "application/gzip" for found in held)
    assert site.request("GET", "/v2/catalog").status == 200
    refused = console.post(f"{base}/download/", page)
    assert "Try again when one has ended" in refused.text
    for found in held:
        found.close()

    # Whoever has gone away frees the place.
    def answer() -> requests.Response | None:
        found = console.post(f"{base}/download/", page)
        return found if "gzip" in found.headers["Content-Type"] else None

    idle = memory_of(site)
    content = wait_for(answer, "a free place", limit_s=60).content
    again = console.post(f"{base}/download/", page)
    assert again.headers["Content-Length"] == str(len(content))
    assert again.content == content
    checksum = console.session.get(f"{console.base}{base}/checksum/").text
    assert checksum.split()[0] == hashlib.sha256(content).hexdigest()

    ((found,),) = site.rows("SELECT id FROM instances_serviceinstance")
    instance = uuid.UUID(found)
    upload = f"/admin/instances/serviceinstance/{instance}/upload-backup/"
    taken = console.put(upload, content)
    assert taken.status_code == 201, taken.text
    assert uuid.UUID(backups.wait_until_verified(site)) != pk
    assert len(content) > 40 * 2**20
    assert memory_of(site) < idle + 40

    # One that breaks off leaves nothing, and is said.
    def broken() -> Iterator[bytes]:
        yield content[: len(content) // 2]
        raise ConnectionResetError

    class Broken:
        def __len__(self) -> int:
            return len(content)

        def __iter__(self) -> Iterator[bytes]:
            return broken()

    with pytest.raises((requests.RequestException, ConnectionResetError)):
        console.put(upload, Broken())
    wait_for(lambda: backups.last(site)[1] == "failed", "the upload to fail")
    backups.wait_until_done(site)
    wait_for(
        lambda: set(backups.images(site).values()) == backups.rows_with_image(site),
        "nothing to be left",
    )
