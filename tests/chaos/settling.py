"""After the last fault: wait until all is well, at most a minute, and judge."""

import json
import re
import time
from collections.abc import Collection, Iterator

from tests.chaos import checker
from tests.chaos.client import Client
from tests.chaos.evidence import Evidence, gather
from tests.chaos.finding import Finding
from tests.chaos.history import History
from tests.chaos.lab import Site

LIMIT_S = 60.0
PAUSE_S = 1.0
KNOWN_TRACEBACKS: tuple[str, ...] = ()
"""Last lines of those that are no bug, each for a reason."""
_TRACEBACK = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)+([^\s].*)", re.M
)


def settle(
    site: Site, history: History, *, limit_s: float = LIMIT_S
) -> tuple[float, list[Finding]]:
    """How long it took until all was well, and what is not well even so."""
    began = time.monotonic()
    rounds = Rounds(site, history)
    while True:
        found = rounds.next()
        took_s = time.monotonic() - began
        if not found or took_s > limit_s:
            return took_s, found + rounds.seen()
        history.note("checker", f"after {took_s:.0f} s: {'; '.join(map(str, found))}")
        time.sleep(PAUSE_S)


def await_finding(
    site: Site,
    history: History,
    kinds: Collection[str],
    *,
    wait_s: float,
    limit_s: float = LIMIT_S,
) -> list[Finding]:
    """Look until one of these is there, and was not made good after that wait."""
    began = time.monotonic()
    rounds = Rounds(site, history)
    while True:
        took_s = time.monotonic() - began
        found = rounds.next() + rounds.seen()
        is_there = any(finding.kind in kinds for finding in found)
        if (is_there and took_s >= wait_s) or took_s > limit_s:
            return found
        time.sleep(PAUSE_S)


class Rounds:
    """Looks at everything, one after the other."""

    def __init__(self, site: Site, history: History) -> None:
        self._site, self._history = site, history
        self._client = Client("checker", site, history)
        self._bound: set[str] = set()
        self._evidence: Evidence | None = None

    def next(self) -> list[Finding]:
        try:
            evidence = gather(self._site)
            unbound = []
            if not evidence.unfinished:
                unbound = _bind_all(self._client, self._history, self._bound)
                evidence = gather(self._site)
            self._evidence = evidence
            return unbound + checker.findings(evidence, self._history)
        except Exception as error:
            return [Finding("harness", "", f"{type(error).__name__}: {error}")]

    def seen(self) -> list[Finding]:
        """What no later round makes good: seen on the way, or written down."""
        found = [Finding(*violation) for violation in self._history.violations]
        if self._evidence is not None:
            found += _secrets(self._site, self._evidence, self._history)
        return [*found, *_damage(self._site), *_tracebacks(self._site)]


def _bind_all(client: Client, history: History, bound: set[str]) -> list[Finding]:
    """Each instance can be bound, and its data is seen by way of that (I4, I11)."""
    found = []
    for row in history.live():
        if row.guid in bound or not row.is_whole:
            continue
        if client.bind(row):
            bound.add(row.guid)
        else:
            found.append(Finding("lost_instances", row.guid, "it cannot be bound"))
    return found


def _secrets(site: Site, evidence: Evidence, history: History) -> Iterator[Finding]:
    """I14: no password in a log, nor in what Docker tells of containers and images."""
    canaries = {
        str(binding.credentials["password"])
        for row in history.instances
        for binding in row.bindings
        if binding.credentials
    }
    admins = map(evidence.admin, evidence.rows["containers"])
    canaries |= {str(admin["password"]) for admin in admins if admin}
    for place, text in _places(site):
        if any(canary in text for canary in canaries):
            yield Finding("secrets", "", f"a password is in {place}")


def _places(site: Site) -> Iterator[tuple[str, str]]:
    yield from site.logs().items()
    for daemon in site.daemons:
        for container in daemon.containers():
            told = daemon.api.inspect_container(container["Id"])
            yield f"container {container['Names']}", json.dumps(told)
        for image in daemon.images():
            told = [
                daemon.api.inspect_image(image["Id"]),
                daemon.api.history(image["Id"]),
            ]
            yield f"image {image['RepoTags']}", json.dumps(told)


def _damage(site: Site) -> Iterator[Finding]:
    for text in site.database.damage():
        yield Finding("database", "", text)


def _tracebacks(site: Site) -> Iterator[Finding]:
    for name, log in site.logs().items():
        for last in _TRACEBACK.findall(log):
            if not any(re.search(known, last) for known in KNOWN_TRACEBACKS):
                yield Finding("tracebacks", "", f"{name}: {last[:300]}")
