"""Cloud Controller's lists of API v3 in miniature, with its UAA: a strict one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.identity_provider import IdentityProvider

CLIENT = "brokersite-lookup"
SECRET = "canary-secret of/the lookup+1"
AUDITOR = ["cloud_controller.global_auditor"]
INCLUDES = {
    "/v3/service_instances": "",
    "/v3/service_credential_bindings": "app",
    "/v3/spaces": "organization",
}


def resource(guid: str, name: str, **relationships: str) -> dict[str, Any]:
    related = {
        kind: {"data": {"guid": related}} for kind, related in relationships.items()
    }
    return {"guid": guid, "name": name, "relationships": related, "metadata": {}}


@dataclass
class CloudController(IdentityProvider):
    """Start it with `with`. It knows what its dictionaries have, by guid."""

    instances: dict[str, str] = field(default_factory=dict)
    """Names; so are apps and organizations."""
    bindings: dict[str, str] = field(default_factory=dict)
    """The guid of its app; empty for a service key."""
    spaces: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name, and the guid of its organization."""
    apps: dict[str, str] = field(default_factory=dict)
    organizations: dict[str, str] = field(default_factory=dict)
    page_size: int = 100
    """It gives no more on a page, whatever is asked for."""
    turn: Callable[[str, dict[str, Any]], Any] | None = None
    """What it answers instead, by path and document."""
    status: int = 200
    """Of every list."""
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clients[CLIENT] = SECRET
        self.authorities[CLIENT] = [*AUDITOR, "uaa.none"]

    def new_key(self) -> None:
        """None: it makes no ID token, and a key takes long to make."""

    def settings(self) -> dict[str, Any]:
        return {
            "api_url": self.url,
            "uaa_url": self.url,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "ca": self.ca,
            "interval_s": 900,
        }

    def answer(
        self, path: str, query: dict[str, str], authorization: str
    ) -> tuple[int, Any] | None:
        if path not in INCLUDES:
            return None
        client = self.tokens.get(authorization.removeprefix("Bearer "))
        if client is None:
            return 401, {"errors": [{"title": "CF-InvalidAuthToken"}]}
        assert query.pop("include", "") == INCLUDES[path]
        assert set(query) == {"guids", "per_page", "page"}, query
        assert 1 <= int(query["per_page"]) <= 5000
        self.queries.append((path, query))
        if self.status != 200:
            return self.status, {"errors": [{"title": "CF-RateLimitExceeded"}]}
        can_see = set(AUDITOR) & set(self.authorities[client])
        rows, included = self._list(path) if can_see else ([], {})
        document = _page(rows, included, query, self.page_size)
        return 200, self.turn(path, document) if self.turn else document

    def _list(self, path: str) -> tuple[list[Any], dict[str, list[Any]]]:
        if path == "/v3/spaces":
            spaces = self.spaces.items()
            rows = [resource(g, name, organization=o) for g, (name, o) in spaces]
            organizations = [resource(*pair) for pair in self.organizations.items()]
            return rows, {"organizations": organizations}
        if path == "/v3/service_instances":
            return [resource(*pair) for pair in self.instances.items()], {}
        rows = [
            resource(guid, "", **({"app": app} if app else {}))
            for guid, app in self.bindings.items()
        ]
        return rows, {"apps": [resource(*pair) for pair in self.apps.items()]}


def _page(
    rows: list[Any], included: dict[str, Any], query: dict[str, str], most: int
) -> dict[str, Any]:
    wanted = query["guids"].split(",")
    assert len(wanted) == len(set(wanted)) <= 100
    found = [row for row in rows if row["guid"] in wanted]
    size = min(int(query["per_page"]), most)
    start = (int(query["page"]) - 1) * size
    pages = max(1, -(-len(found) // size))
    return {
        "pagination": {
            "total_results": len(found),
            "total_pages": pages,
            "next": {"href": "https://elsewhere.example.com/"},
        },
        "resources": found[start : start + size],
        "included": included,
    }
