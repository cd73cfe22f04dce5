"""The console without a mouse, and without scripts."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console_site import PASSWORD, USERNAME, ConsoleSite
from tests.browser.keyboard import Keyboard
from tests.browser.visitor import Visitor

APP = "app-checkout"


@pytest.fixture(scope="module")
def filled(site: ConsoleSite) -> ConsoleSite:
    site.fill()
    return site


class TestKeyboard:
    def test_from_the_login_to_a_backup(
        self, browser: Browser, filled: ConsoleSite
    ) -> None:
        with Visitor(browser, filled.url) as visitor:
            hands = Keyboard(visitor.page)
            visitor.visit("/admin/")
            expect(visitor.page.get_by_label("Username")).to_be_focused()
            hands.type(USERNAME)
            hands.go_to("Password")
            hands.type(PASSWORD)
            hands.enter()
            visitor.is_on("Overview")
            hands.go_to("Service instances", skips_menu=True)
            hands.enter()
            hands.go_to("Search", skips_menu=True)
            hands.type(APP)
            hands.enter()
            # The address still names the main content.
            hands.go_to("orders")
            hands.enter()
            hands.go_to("Back up…", skips_menu=True)
            hands.enter()
            hands.go_to("Note", skips_menu=True)
            hands.type("Without a mouse")
            hands.go_to("Back up")
            hands.enter()
            visitor.said("is recorded")


class TestWithoutScripts:
    def test_what_matters_works(self, browser: Browser, filled: ConsoleSite) -> None:
        options = {"java_script_enabled": False}
        with Visitor(browser, filled.url, **options) as visitor:
            visitor.log_in()
            visitor.look(APP)
            visitor.back_up(APP)
            self.choose(visitor)

    def choose(self, visitor: Visitor) -> None:
        """Some of the list, and what is to be done with them."""
        page = visitor.page
        visitor.visit("/admin/instances/serviceinstance/")
        page.locator("#result_list tbody input[type=checkbox]").first.check()
        page.get_by_label("Action:").select_option("deprovision_chosen")
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_role("heading", name="Deprovision")).to_be_visible()
        expect(page.get_by_role("button", name="Deprovision")).to_be_visible()
