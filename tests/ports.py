"""Which ports a run takes for its databases, so that runs side by side keep apart."""

import os

SLOTS = 8
SLOT = (os.getppid() + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])) % SLOTS
"""Another one for each process of pytest-xdist, and mostly for each other run."""
