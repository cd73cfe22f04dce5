"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

PROGRAM = "chromium"


def cannot_run() -> bool:
    """CI has what it takes, or fails."""
    return not shutil.which(PROGRAM) and not os.environ.get("CI")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Nothing in this thread may use the database meanwhile: Playwright's loop runs."""
    arguments = [
        # A page that asked another site for something would not get it.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-dev-shm-usage",
    ]
    if os.geteuid() == 0:
        # Chromium has no sandbox for root.
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(PROGRAM), args=arguments
        )
        yield browser
        browser.close()
