"""An offering that no engine knows, from its catalog file to its end, over HTTP."""

from typing import Any

import pytest

from tests.docker.memcached_session import MemcachedSession
from tests.system.site import Answer, Site, wait_for

EXAMPLE = "images/memcached/catalog.yml"
IDS = {
    "service_id": "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e04",
    "plan_id": "7f1bd2a5-2c7e-4b0e-9d3f-0a6a3f6c1e41",
}
INSTANCE = "/v2/service_instances/cache"


def bind(site: Site, guid: str, **fields: Any) -> Answer:
    return site.request("PUT", f"{INSTANCE}/service_bindings/{guid}", IDS | fields)


def can_use(credentials: dict[str, Any]) -> bool:
    session = MemcachedSession(credentials)
    try:
        return session.set("key", "value") == "STORED" and session.get("key") == "value"
    finally:
        session.close()


def test_memcached_is_provisioned_bound_used_and_removed() -> None:
    with Site() as site:
        site.manage("loadcatalog", EXAMPLE)
        site.start_worker()
        wish = IDS | {"organization_guid": "org", "space_guid": "space"}
        query = {"accepts_incomplete": "true"}
        assert site.request("PUT", INSTANCE, wish, **query).status == 202
        assert site.wait_until_finished("cache") == "succeeded", site.log()

        first, second = bind(site, "one"), bind(site, "two")
        assert (first.status, second.status) == (201, 201)
        assert first.body == second.body
        assert can_use(first.body["credentials"])
        refused = bind(site, "three", parameters={"read_only": True})
        assert refused.status == 400
        assert "share the same credentials" in refused.body["description"]

        path = f"{INSTANCE}/service_bindings/one"
        assert site.request("DELETE", path, **IDS).status == 200
        # As the console and the README say.
        assert can_use(first.body["credentials"])
        answer = site.request("DELETE", INSTANCE, **IDS, **query)
        assert answer.status == 202
        wait_for(lambda: not site.containers(), "the container to go")
        with pytest.raises(ConnectionRefusedError):
            can_use(first.body["credentials"])
        wait_for(lambda: not site.leased_ports(), "its port to be free")
