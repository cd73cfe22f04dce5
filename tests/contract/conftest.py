"""Say how many requests the contract was tried with: pytest swallows prints.

tests/conftest.py says it, since pytest-xdist reports from a process of its own.
"""

import pytest

from tests.conftest import CONTRACT
from tests.contract import test_openapi


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        session.config.stash[CONTRACT] = test_openapi.RUN
    else:
        output["contract"] = dict(test_openapi.RUN)
