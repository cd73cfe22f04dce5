"""Settings that only make tests faster, or more like the product."""

from collections import Counter
from typing import Any

import pytest
from django.conf import settings

CONTRACT = pytest.StashKey[Counter[str]]()
"""How often the contract had which answer, as "METHOD PATH STATUS"."""


def pytest_configure() -> None:
    # WhiteNoise would read all static files anew for every test client.
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite's tests use a file, as the product does: threads wait for each other.

    In memory they would share one cache, where a lock is an error at once. On a server
    (see tests/databases/server.py) each of pytest-xdist's processes has its own.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        database.setdefault("TEST", {})["NAME"] = str(folder / "tests.sqlite3")
    else:
        request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Keep what a process of pytest-xdist has counted."""
    run = getattr(node, "workeroutput", {}).get("contract")
    if run:
        node.config.stash[CONTRACT] = Counter(run)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    run = terminalreporter.config.stash.get(CONTRACT, Counter())
    if run:
        refused = sum(count for name, count in run.items() if name[-3:] >= "300")
        terminalreporter.write_line(
            f"contract: {run.total()} requests, {run.total() - refused} of them served"
        )
