"""What the walks share: one Chromium, and a site that has something to look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import cannot_run, chromium
from tests.browser.console_site import ConsoleSite


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "needs Chromium: bin/ensure-chromium"
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.skipif(cannot_run(), reason=reason))
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for longer than a module: whoever comes next may want the database.
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[ConsoleSite]:
    with ConsoleSite() as site:
        yield site
