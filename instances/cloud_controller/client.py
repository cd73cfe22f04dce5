"""Lists of Cloud Controller's API v3, by guid: a hundred to a request.

What it says is a stranger's: it is checked to be about what was asked, texts are made
storable, and links in it are not followed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from instances import errors
from instances.oauth import https
from instances.oauth.provider import ClientToken, Provider

MOST_GUIDS = 100
"""In one request: its address stays below 4 KiB."""
MOST_PAGES = 20
LARGEST = 4 * 1024 * 1024
LONGEST_NAME = 255
READERS = frozenset(
    f"cloud_controller.{scope}"
    for scope in ("admin", "admin_read_only", "global_auditor")
)
"""Without one of these scopes, Cloud Controller answers with empty lists."""
_GUID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Space:
    name: str
    organization_name: str


class CloudController:
    """Every method raises PlatformUnavailable rather than saying half of it."""

    has_bindings = True

    def __init__(self, api_url: str, provider: Provider, ca: str) -> None:
        self._api_url = api_url
        self._provider = provider
        self._ca = ca
        self._token: ClientToken | None = None

    @property
    def host(self) -> str:
        """As X-Api-Info-Location says which Cloud Controller calls a broker."""
        return urlsplit(self._api_url).hostname or ""

    @staticmethod
    def can_know(guid: str) -> bool:
        """Whether it is an id that Cloud Controller can have made."""
        return bool(_GUID.fullmatch(guid))

    def service_instances(self, guids: Sequence[str]) -> dict[str, str]:
        """The names of those that it knows, by guid."""
        pages = self._pages("/v3/service_instances", guids)
        return {guid: _name(row) for page in pages for guid, row in page.rows.items()}

    def service_bindings(self, guids: Sequence[str]) -> dict[str, str]:
        """The names of their apps by guid; a service key has none."""
        found = {}
        for page in self._pages(
            "/v3/service_credential_bindings", guids, include="app"
        ):
            apps = page.included("apps")
            for guid, row in page.rows.items():
                found[guid] = _name(apps.get(_related(row, "app"), {}))
        return found

    def spaces(self, guids: Sequence[str]) -> dict[str, Space]:
        found = {}
        for page in self._pages("/v3/spaces", guids, include="organization"):
            organizations = page.included("organizations")
            for guid, row in page.rows.items():
                organization = organizations.get(_related(row, "organization"), {})
                found[guid] = Space(_name(row), _name(organization))
        return found

    def _pages(
        self, path: str, guids: Sequence[str], **query: str
    ) -> Iterator["_Page"]:
        """All of them; in halves, if the whole is larger than is read."""
        asked = [guid for guid in guids if self.can_know(guid)]
        for start in range(0, len(asked), MOST_GUIDS):
            yield from self._of(path, asked[start : start + MOST_GUIDS], query)

    def _of(
        self, path: str, guids: list[str], query: Mapping[str, str]
    ) -> Iterator["_Page"]:
        found: list[_Page] = []
        while not found or len(found) < found[0].pages:
            wanted = {
                **query,
                "guids": ",".join(guids),
                "per_page": str(MOST_GUIDS),
                "page": str(len(found) + 1),
            }
            answer = self._ask(f"{path}?{urlencode(wanted, safe=',')}")
            if answer.is_too_large and len(guids) > 1:
                half = len(guids) // 2
                yield from self._of(path, guids[:half], query)
                yield from self._of(path, guids[half:], query)
                return
            if answer.is_too_large or len(found) == MOST_PAGES:
                raise _odd(path, "more than is read")
            found.append(_page(path, answer.document, guids))
        # A list whose pages have moved while they were read says nothing of the rest.
        if sum(len(page.rows) for page in found) != found[-1].total:
            raise _odd(path, "another number than it says")
        yield from found

    def _ask(self, target: str) -> https.Answer:
        """With the token at hand, or a new one if that is not taken any more."""
        answer = None
        if self._token is not None:
            answer = self._get(target, self._token)
        if answer is None or answer.status == 401:
            self._token = self._new_token()
            answer = self._get(target, self._token)
        if answer.status != 200:
            path = target.partition("?")[0]
            raise errors.PlatformUnavailable(
                detail=f"Cloud Controller answers {answer.status} to {path}",
                retry_after_s=answer.retry_after_s,
            )
        return answer

    def _get(self, target: str, token: ClientToken) -> https.Answer:
        headers = {"Authorization": f"Bearer {token.value}"}
        try:
            return https.get(
                f"{self._api_url}{target}",
                ca=self._ca,
                headers=headers,
                largest=LARGEST,
            )
        except errors.LoginUnavailable as error:
            raise errors.PlatformUnavailable(detail=error.detail) from error

    def _new_token(self) -> ClientToken:
        try:
            token = self._provider.client_token()
        except (errors.LoginUnavailable, errors.LoginRefused) as error:
            raise errors.PlatformUnavailable(detail=f"UAA: {error.detail}") from error
        if not READERS & token.scopes:
            raise errors.PlatformUnavailable(
                detail=f"the client {self._provider.client_id} sees nothing there: "
                "give it the authority cloud_controller.global_auditor or "
                "cloud_controller.admin_read_only"
            )
        return token


@dataclass(frozen=True)
class _Page:
    rows: dict[str, dict[str, Any]]
    """By guid."""
    document: dict[str, Any]
    pages: int
    total: int

    def included(self, kind: str) -> dict[str, dict[str, Any]]:
        included = self.document.get("included")
        rows = included.get(kind) if isinstance(included, dict) else []
        return dict(_by_guid(rows if isinstance(rows, list) else []))


def _page(path: str, document: dict[str, Any], asked: list[str]) -> _Page:
    resources, pagination = document.get("resources"), document.get("pagination")
    if not (isinstance(resources, list) and isinstance(pagination, dict)):
        raise _odd(path, "no list")
    rows = dict(_by_guid(resources))
    if len(rows) != len(resources) or not rows.keys() <= set(asked):
        raise _odd(path, "others than were asked for")
    numbers = [pagination.get(name) for name in ("total_pages", "total_results")]
    if any(not isinstance(number, int) or number < 0 for number in numbers):
        raise _odd(path, "no numbers of pages and results")
    pages, total = (int(str(number)) for number in numbers)
    return _Page(rows, document, pages, total)


def _by_guid(rows: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        guid = row.get("guid") if isinstance(row, dict) else None
        if isinstance(guid, str):
            yield guid, row


def _name(row: Mapping[str, Any]) -> str:
    name = row.get("name")
    return _UNSTORABLE.sub("", name)[:LONGEST_NAME] if isinstance(name, str) else ""


def _related(row: Mapping[str, Any], kind: str) -> str:
    """The guid of the resource that it belongs to; empty without one."""
    found: Any = row
    for name in ("relationships", kind, "data", "guid"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _odd(path: str, what: str) -> errors.PlatformUnavailable:
    return errors.PlatformUnavailable(
        detail=f"Cloud Controller answers {path} with {what}"
    )
