"""A site with static files, a worker, an operator, and something to look at."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.site import Answer, Site, wait_for

ADD_REST = """
from instances.models import BulkRun, DockerHost, ServiceInstance
run = BulkRun.objects.create(action="back_up", requested_by="ada")
run.items.create(instance=ServiceInstance.objects.get(), position=0)
DockerHost.objects.create(
    name="spare", url="unix:///nonexistent/docker.sock", database_host="127.0.0.1",
    publish_address="127.0.0.1", memory_mb=1024, state="cordoned")
"""
USERNAME, PASSWORD = "ada", "a-console-for-tests-0123456789"


class ConsoleSite(Site):
    def __init__(self, **options: Any) -> None:
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
            "ADMIN_USERNAME": USERNAME,
            "ADMIN_PASSWORD": PASSWORD,
            **options.pop("environment", {}),
        }
        super().__init__(environment=environment, **options)
        self.url = f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> "ConsoleSite":
        # Before the web process, which looks once which files there are.
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        super().__enter__()
        self.start_worker()
        return self

    def create(
        self,
        guid: str,
        name: str,
        *,
        organization: str = "shop",
        space: str = "production",
        ids: dict[str, str] | None = None,
    ) -> None:
        """A service instance with that name, as Cloud Foundry asks for it."""
        where = {
            "organization_guid": _guid_of(organization),
            "space_guid": _guid_of(organization, space),
        }
        names = {
            "organization_name": organization,
            "space_name": space,
            "instance_name": name,
        }
        context = {"platform": "cloudfoundry", **where, **names}
        path = f"/v2/service_instances/{guid}"
        body = {**(ids or self.ids), **where, "context": context}
        answer = self.request("PUT", path, body, accepts_incomplete="true")
        assert answer.status in (201, 202), answer.body
        if answer.status == 202:
            assert self.wait_until_finished(guid) == "succeeded", self.log()

    def create_on(self, host: str, guid: str, name: str) -> None:
        with self.only(host):
            self.create(guid, name)

    @contextmanager
    def only(self, host: str) -> Iterator[None]:
        """All other Docker hosts are cordoned meanwhile."""
        sql = "UPDATE instances_dockerhost SET state = ?"
        self.execute(f"{sql} WHERE name <> ?", "cordoned", host)
        yield
        self.execute(sql, "active")

    def bind_app(
        self, guid: str, app: str, *, ids: dict[str, str] | None = None
    ) -> Answer:
        path = f"/v2/service_instances/{guid}/service_bindings/{guid}-{app}"
        resource = {"bind_resource": {"app_guid": app}, "app_guid": app}
        return self.request("PUT", path, {**(ids or self.ids), **resource})

    def wait_until_verified(self, number: int = 1) -> None:
        """Until so many backups are."""
        sql = "SELECT count(*) FROM instances_backup WHERE state = 'verified'"
        wait_for(lambda: self.rows(sql)[0][0] >= number, "the proof", limit_s=90)

    def fill(self) -> None:
        """At least one row for each page, and a host that may be deleted."""
        self.create("5a1d0c1e-orders", "orders")
        self.bind_app("5a1d0c1e-orders", "app-checkout")
        self.manage("shell", "-c", ADD_REST)


def _guid_of(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, ".".join(names)))
