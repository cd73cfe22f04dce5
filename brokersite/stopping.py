"""Stopping gunicorn on Cloud Foundry, as brokersite.serving has it done.

An instance that is being stopped gets its SIGTERM at the moment when the router begins
to hear of it, so that requests still come for a while. They would meet a closed socket,
or be reset in its queue, and a PUT that was sent is not sent again: go on as before for
that while, and only then finish what is under way.
"""

import os
import signal
import threading
from typing import Any

ROUTE_REMOVAL_S = 2.0
"""Cloud Foundry kills ten seconds after SIGTERM: --graceful-timeout has the rest."""


def when_ready(arbiter: Any) -> None:
    """Before the first worker is forked, with gunicorn's own handlers in place."""
    if "VCAP_APPLICATION" not in os.environ:
        return  # nobody is waiting behind a router
    stop: Any = signal.getsignal(signal.SIGTERM)

    def stop_later(number: int, frame: Any) -> None:
        threading.Timer(ROUTE_REMOVAL_S, stop, (number, None)).start()

    signal.signal(signal.SIGTERM, stop_later)
