"""Every page of the console: for each eye and hand, and by the rules it sets itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import pages
from tests.browser.accessibility import barriers
from tests.browser.console_site import ConsoleSite
from tests.browser.visitor import Visitor

MENU = "#nav-sidebar"
"""The same on each page: looked at on the first one."""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def visitor(browser: Browser, site: ConsoleSite) -> Iterator[Visitor]:
    site.fill()
    with Visitor(browser, site.url) as visitor:
        visitor.log_in()
        visitor.back_up("orders")
        site.wait_until_verified()
        yield visitor


def troubles(page: Page, *, without: str = "") -> list[str]:
    """What is wrong with it in light, in the dark and on a phone."""
    found = barriers(page, without=without)
    page.emulate_media(color_scheme="dark")
    dark = barriers(page, without=without, rules=("color-contrast",))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    width = page.evaluate(WIDTH)
    page.set_viewport_size(DESK)
    found += [f"dark: {sentence}" for sentence in dark]
    return found + [f"{width} px wide on a phone"] * (width > PHONE["width"])


class TestPages:
    def test_every_page(self, site: ConsoleSite, visitor: Visitor) -> None:
        """S44, S46: no barrier, no violation of the policy, nothing from elsewhere."""
        found, seen = [], 0
        for key, path in pages.addresses(site):
            if self.is_page(visitor, path):
                visitor.visit(path)
                without = MENU if key != "index" else ""
                told = troubles(visitor.page, without=without) + visitor.take_faults()
                found += [f"{key} {path}: {sentence}" for sentence in told]
                seen += 1
        print(f"{seen} pages of the console seen")
        assert not found, "\n".join(found)
        assert seen > 60

    def is_page(self, visitor: Visitor, path: str) -> bool:
        """And not a file, a part of a page, or something that is only posted to."""
        answer = visitor.context.request.get(path)
        assert answer.status in (200, 405), f"{path} is answered {answer.status}"
        is_html = answer.headers["content-type"].startswith("text/html")
        return answer.status == 200 and is_html and "<html" in answer.text()

    def test_before_the_login(self, browser: Browser, site: ConsoleSite) -> None:
        with Visitor(browser, site.url) as stranger:
            stranger.visit("/admin/")
            assert troubles(stranger.page) == []


class TestWhatTheyLookFor:
    """A check that finds nothing must be one that would find something."""

    def test_a_script_in_the_page(self, browser: Browser, site: ConsoleSite) -> None:
        with Visitor(browser, site.url) as visitor:
            visitor.visit("/admin/login/")
            visitor.page.evaluate(
                "document.body.append(Object.assign("
                "document.createElement('script'), {textContent: 'alert(1)'}))"
            )
            told = "\n".join(visitor.take_faults())
            assert "CSP: script-src-elem inline" in told and "dialog" not in told

    def test_another_site(self, browser: Browser, site: ConsoleSite) -> None:
        with Visitor(browser, site.url) as visitor:
            visitor.visit("/admin/login/")
            visitor.page.evaluate("fetch('http://example.com/').catch(() => 0)")
            assert "connect-src http://example.com" in "\n".join(visitor.take_faults())

    def test_a_barrier(self, browser: Browser, site: ConsoleSite) -> None:
        with Visitor(browser, site.url) as visitor:
            visitor.visit("/admin/login/")
            visitor.page.evaluate(
                "document.querySelector('label').style.color = 'gold';"
                "document.body.style.width = '500px'"
            )
            found = "\n".join(troubles(visitor.page))
            assert "color-contrast at" in found and "px wide on a phone" in found
