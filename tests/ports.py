"""Which ports a run takes for its databases, so that runs side by side keep apart."""

import os
import socket

SLOTS = 8
SLOT = (os.getppid() + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])) % SLOTS
"""Another one for each process of pytest-xdist, and mostly for each other run."""


def free_port() -> int:
    """One of those that programs get who ask for any."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
