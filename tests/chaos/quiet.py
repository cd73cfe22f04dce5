"""When all is well, nothing is done to Docker any more (I15)."""

import time

from tests.chaos.finding import Finding
from tests.chaos.lab import Site
from tests.chaos.proxy import Call

WINDOW_S = 8.0
"""Two passes of the lab's reconciliation, and more."""
LIMIT_S = 40.0
PROBE = "brokersite-probe-"
"""The containers that ask for the room on a disk; nobody's data is near."""


def findings(site: Site, *, limit_s: float = LIMIT_S) -> list[Finding]:
    """Nothing, if there is a while without a changing call; else those calls."""
    began = time.monotonic()
    while True:
        since = time.time()
        time.sleep(WINDOW_S)
        calls = [
            f"{daemon.name}: {call}"
            for daemon in site.daemons
            for call in list(daemon.proxy.calls)
            if call.at >= since and is_changing(call)
        ]
        if not calls:
            return []
        if time.monotonic() - began > limit_s:
            return [Finding("not_quiet", "", "; ".join(calls)[:1000])]


def is_changing(call: Call) -> bool:
    return call.method not in ("GET", "HEAD") and PROBE not in call.path
